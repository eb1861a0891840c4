import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addressOf, createLoopbackHost, eventually } from '../../test/support/network-hosts.ts'
import { bytes, fromUtf8, millis, utf8 } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { encodeFrame } from './frame.ts'
import type { NetworkHost, NetworkLimits } from './index.ts'
import { createNode, type Node } from './libp2p-node.ts'
import { DEFAULT_LIMITS, inboxProtocol, MAX_FRAME } from './limits.ts'

let host: NetworkHost
let attacker: Node
let received: string[]

async function startHost(limits: Partial<NetworkLimits> = {}): Promise<void> {
  host = createLoopbackHost({ limits })
  host.listen('root', (frame) => received.push(fromUtf8(frame)))
  await host.start()
}

function openStream(): Promise<Stream> {
  return attacker.dialProtocol(multiaddr(addressOf(host)), inboxProtocol('root'), { maxOutboundStreams: 256 })
}

function prefix(length: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, length, true)
  return bytes
}

/** Resolves with whether the receiver reset the stream. */
function resetOf(stream: Stream): Promise<boolean> {
  return new Promise((resolve) => {
    if (stream.status === 'reset') resolve(true)
    else stream.addEventListener('close', () => resolve(stream.status === 'reset'))
  })
}

beforeEach(async () => {
  received = []
  attacker = await createNode({
    privateKey: privateKeyFromProtobuf(generateKeyPair().exportPrivate()),
    listen: [],
    limits: DEFAULT_LIMITS,
    peerScore: () => 0
  })
  await attacker.start()
})

afterEach(async () => {
  await Promise.all([attacker.stop(), host.stop()])
})

async function stillReceives(): Promise<void> {
  const stream = await openStream()
  stream.send(encodeFrame(utf8('still here')))
  await stream.close()
  await eventually(() => received.includes('still here'))
}

describe('a stream is reset, counted and forgotten when', () => {
  const hostile: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['it announces one byte too many', [prefix(BigInt(MAX_FRAME) + 1n)]],
    ['it announces 2^64 - 1 bytes', [prefix(2n ** 64n - 1n)]],
    ['it announces a length that wraps around 2^32', [prefix(2n ** 32n + 2n), utf8('{}')]],
    ['it ends without a byte', []],
    ['it ends inside the prefix', [prefix(2n).subarray(0, 5)]],
    ['it ends inside the body', [prefix(100n), utf8('half of it')]],
    ['bytes follow the frame', [encodeFrame(utf8('{}')), utf8('x')]],
    ['a second frame follows the first', [encodeFrame(utf8('{}')), encodeFrame(utf8('{}'))]]
  ]
  for (const [name, chunks] of hostile) {
    test(name, async () => {
      await startHost()
      const stream = await openStream()
      const reset = resetOf(stream)
      for (const chunk of chunks) stream.send(chunk)
      await stream.close().catch(() => undefined) // the reset may come first
      expect(await reset).toBe(true)
      expect(host.stats().framesRefused).toBe(1)
      expect(host.stats().reading).toBe(0)
      expect(received).toEqual([])
      await stillReceives()
    })
  }

  test('its sender is too slow', async () => {
    await startHost({ readDeadline: millis(60) })
    const stream = await openStream()
    const reset = resetOf(stream)
    stream.send(prefix(100n))
    expect(await reset).toBe(true)
    expect(host.stats().framesRefused).toBe(1)
    await stillReceives()
  })

  test('its sender never closes its side, however complete the frame is', async () => {
    await startHost({ readDeadline: millis(60) })
    const stream = await openStream()
    const reset = resetOf(stream)
    stream.send(encodeFrame(utf8('{}')))
    expect(await reset).toBe(true)
    expect(received).toEqual([])
  })

  test('the sender has too many of them open', async () => {
    await startHost({ readsPerPeer: 2 })
    const [first, second] = [await openStream(), await openStream()]
    for (const stream of [first, second]) stream.send(prefix(2n))
    await eventually(() => host.stats().reading === 2)
    const third = await openStream()
    expect(await resetOf(third)).toBe(true)
    for (const stream of [first, second]) {
      stream.send(utf8('{}'))
      await stream.close()
    }
    await eventually(() => received.length === 2)
    await stillReceives()
  })

  for (const limit of ['readBytesPerPeer', 'readBytes'] as const) {
    test(`unfinished frames would hold more bytes than ${limit}, which are free again once one is done`, async () => {
      await startHost({ [limit]: bytes(10_000) })
      const frame = encodeFrame(new Uint8Array(8000).fill(0x61))
      const first = await openStream()
      first.send(frame.subarray(0, 8000))
      await eventually(() => host.stats().reading === 1)
      const second = await openStream()
      const reset = resetOf(second)
      second.send(frame.subarray(0, 8000))
      expect(await reset).toBe(true)
      expect(host.stats()).toMatchObject({ framesRefused: 1, reading: 1 })
      first.send(frame.subarray(8000))
      await first.close()
      await eventually(() => received.length === 1)
      const third = await openStream()
      third.send(frame)
      await third.close()
      await eventually(() => received.length === 2)
      expect(host.stats().framesRefused).toBe(1)
    })
  }

  test('all peers together have too many of them open', async () => {
    await startHost({ reads: 1 })
    const first = await openStream()
    first.send(prefix(2n))
    await eventually(() => host.stats().reading === 1)
    expect(await resetOf(await openStream())).toBe(true)
    expect(host.stats().framesRefused).toBe(1)
    first.abort(new Error('the test is over'))
    await eventually(() => host.stats().reading === 0)
    await stillReceives()
  })
})

test('a frame is read whatever chunks it comes in', async () => {
  await startHost()
  const stream = await openStream()
  const frame = encodeFrame(utf8('{"a":1}'))
  for (const byte of frame) {
    stream.send(Uint8Array.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await stream.close()
  await eventually(() => received.length === 1)
  expect(received).toEqual(['{"a":1}'])
})

test('the protocol id has no leading slash', () => {
  expect(inboxProtocol('root')).toBe('actor/root/messages/0.0.1')
})
