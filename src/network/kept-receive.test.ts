import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addressOf, createLoopbackHost, eventually } from '../../test/support/network-hosts.ts'
import { bytes, fromUtf8, millis, utf8 } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import type { NetworkHost, NetworkLimits } from './index.ts'
import { decodeFrame, encodeFrames, KEPT_PROTOCOL, type KeptFrame } from './kept-frames.ts'
import { createKeptReader } from './kept-reader.ts'
import { createNode, type Node } from './libp2p-node.ts'
import { DEFAULT_LIMITS, MAX_SENT_FRAME } from './limits.ts'

let host: NetworkHost
let attacker: Node
let received: string[]

const HELLO: KeptFrame = { type: 'hello', features: 0, window: { messages: 10, bytes: 1000 } }

async function startHost(limits: Partial<NetworkLimits> = {}): Promise<void> {
  host = createLoopbackHost({ limits })
  host.listen('root', (frame) => received.push(fromUtf8(frame)))
  await host.start()
}

function openStream(): Promise<Stream> {
  return attacker.dialProtocol(multiaddr(addressOf(host)), KEPT_PROTOCOL, { maxOutboundStreams: 256 })
}

function message(id: number, text: string, inbox = 'root'): KeptFrame {
  return { type: 'message', id, inbox, payload: utf8(text) }
}

function start(id: number, total: number, text = ''): KeptFrame {
  return { type: 'start', id, inbox: 'root', total, payload: utf8(text) }
}

function part(id: number, text: string): KeptFrame {
  return { type: 'part', id, payload: utf8(text) }
}

/** Resolves with whether the receiver reset the stream. */
function resetOf(stream: Stream): Promise<boolean> {
  return new Promise((resolve) => {
    if (stream.status === 'reset') resolve(true)
    else stream.addEventListener('close', () => resolve(stream.status === 'reset'))
  })
}

/** Everything that comes back on a stream. */
function answersOn(stream: Stream): KeptFrame[] {
  const frames: KeptFrame[] = []
  const reader = createKeptReader(
    (type, body) => {
      const frame = decodeFrame(type, body)
      if (frame !== undefined) frames.push(frame)
    },
    () => undefined
  )
  stream.addEventListener('message', ({ data }) => reader.push(data.subarray()))
  return frames
}

function receiptsIn(frames: readonly KeptFrame[]): readonly string[] {
  return frames
    .flatMap((frame) => (frame.type === 'receipt' ? frame.receipts : []))
    .flatMap(({ first, last, status }) => Array.from({ length: last - first + 1 }, (_, index) => `${first + index} ${status}`))
}

async function stillReceives(): Promise<void> {
  const stream = await openStream()
  stream.send(encodeFrames([HELLO, message(1, 'still here')]))
  await stream.close()
  await eventually(() => received.includes('still here'))
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

describe('a kept stream is reset, counted and forgotten when', () => {
  const hostile: readonly (readonly [string, readonly KeptFrame[] | Uint8Array])[] = [
    ['it does not begin with an opening frame', [message(1, 'x')]],
    ['it begins with garbage', utf8('GET / HTTP/1.1')],
    ['it opens twice', [HELLO, HELLO]],
    ['a message has not the next number', [HELLO, message(2, 'x')]],
    ['two messages have the same number', [HELLO, message(1, 'x'), message(1, 'x')]],
    ['an inbox has a name that none can have', [HELLO, message(1, 'x', 'a b')]],
    ['an inbox has no name', [HELLO, message(1, 'x', '')]],
    ['a message in parts announces too much', [HELLO, start(1, MAX_SENT_FRAME + 1)]],
    ['a message in parts is longer than announced', [HELLO, start(1, 3, 'ab'), part(1, 'cd')]],
    ['a part belongs to nothing', [HELLO, part(1, 'x')]],
    ['a part comes after the end', [HELLO, start(1, 1, 'a'), part(1, 'b')]],
    ['nine messages are unfinished', [HELLO, ...Array.from({ length: 9 }, (_, index) => start(index + 1, 10, 'x'))]],
    ['receipts come from the sender', [HELLO, { type: 'receipt', receipts: [{ first: 1, last: 1, status: 'delivered' }] }]],
    ['it ends inside a frame', Buffer.concat([encodeFrames([HELLO]), Uint8Array.of(1, 0, 0, 9, 0)])],
    ['it ends inside a message', [HELLO, start(1, 10, 'x')]]
  ]
  test.each(hostile)('%s', async (_, frames) => {
    await startHost()
    const stream = await openStream()
    const reset = resetOf(stream)
    stream.send(frames instanceof Uint8Array ? frames : encodeFrames(frames))
    await stream.close().catch(() => undefined) // the reset may come first
    expect(await reset).toBe(true)
    expect(host.stats()).toMatchObject({ framesRefused: 1, reading: 0 })
    await stillReceives()
  })

  test.each([
    ['a frame', Buffer.concat([encodeFrames([HELLO]), Uint8Array.of(1, 0, 0, 9, 0)])],
    ['a message', encodeFrames([HELLO, start(1, 10, 'x')])]
  ])('%s stays unfinished too long', async (_, frames) => {
    await startHost({ readDeadline: millis(60) })
    const stream = await openStream()
    const reset = resetOf(stream)
    stream.send(frames)
    expect(await reset).toBe(true)
    expect(host.stats()).toMatchObject({ framesRefused: 1, reading: 0 })
    await stillReceives()
  })

  test('its sender is silent for too long', async () => {
    await startHost({ keptIdle: millis(30) })
    const stream = await openStream()
    stream.send(encodeFrames([HELLO]))
    expect(await resetOf(stream)).toBe(true)
  })
})

test('a peer whose streams are bad again and again is not read any more for a while', async () => {
  await startHost({ badStreamsPerMinute: 3 })
  for (let turn = 0; turn < 3; turn += 1) {
    const stream = await openStream()
    stream.send(utf8('garbage'))
    expect(await resetOf(stream)).toBe(true)
  }
  expect(await resetOf(await openStream())).toBe(true)
  expect(host.stats().framesRefused).toBe(3)
})

test('a stream that breaks is nobody’s fault', async () => {
  await startHost()
  const stream = await openStream()
  stream.send(encodeFrames([HELLO, message(1, 'before'), start(2, 10, 'x')]))
  await eventually(() => received.length === 1 && host.stats().reading === 1)
  stream.abort(new Error('the test is over'))
  await eventually(() => host.stats().reading === 0)
  expect(host.stats().framesRefused).toBe(0)
})

test('each message gets a receipt that says what became of it', async () => {
  await startHost()
  const stream = await openStream()
  const answers = answersOn(stream)
  const frames = [HELLO, message(1, 'a'), start(2, 4, 'lo'), message(3, 'b', 'nobody'), message(4, 'c'), part(2, 'ng')]
  stream.send(encodeFrames(frames))
  await eventually(() => receiptsIn(answers).length === 4)
  expect(answers[0]).toMatchObject({ type: 'hello' })
  expect(receiptsIn(answers).toSorted()).toEqual(['1 delivered', '2 delivered', '3 no-such-inbox', '4 delivered'])
  expect(received).toEqual(['a', 'c', 'long'])
  expect(host.stats()).toMatchObject({ framesReceived: 3, framesRefused: 1, reading: 0 })
})

test('receipts that are still due come before the end of the stream', async () => {
  await startHost()
  const stream = await openStream()
  const answers = answersOn(stream)
  const ended = new Promise((resolve) => stream.addEventListener('remoteCloseWrite', resolve))
  stream.send(encodeFrames([HELLO, message(1, 'a'), message(2, 'b')]))
  await stream.close()
  await ended
  expect(receiptsIn(answers)).toEqual(['1 delivered', '2 delivered'])
})

test('a message for which there is no room is skipped, and others are not', async () => {
  await startHost({ readBytesPerPeer: bytes(1000) })
  const stream = await openStream()
  const answers = answersOn(stream)
  const half = 'x'.repeat(900)
  stream.send(encodeFrames([HELLO, start(1, 1800, half), start(2, 1800, half), message(3, 'short')]))
  stream.send(encodeFrames([part(2, half)]))
  await eventually(() => receiptsIn(answers).includes('2 busy'))
  expect(received).toEqual(['short'])
  stream.send(encodeFrames([part(1, 'y')]))
  await stream.close().catch(() => undefined) // it ends inside message 1
  await eventually(() => host.stats().reading === 0)
})

/** Bytes that are in use once everything that nobody holds is gone. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

test('parts of one byte each take no more memory than their bytes', async () => {
  await startHost()
  const stream = await openStream()
  const before = heldBytes()
  stream.send(encodeFrames([HELLO, start(1, 400_000)]))
  const parts = encodeFrames(Array.from({ length: 10_000 }, () => part(1, 'x')))
  for (let sent = 0; sent < 300_000; sent += 10_000) if (!stream.send(parts)) await stream.onDrain()
  stream.send(encodeFrames([message(2, 'all of it was read')]))
  await eventually(() => received.length === 1)
  expect(heldBytes() - before).toBeLessThan(10_000_000)
  stream.abort(new Error('the test is over'))
})
