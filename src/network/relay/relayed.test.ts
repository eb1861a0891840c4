import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromString } from '@libp2p/peer-id'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, test } from 'vitest'
import { addressOf, createLoopbackHost, eventually } from '../../../test/support/network-hosts.ts'
import { bytes, fromUtf8, millis, minutes, utf8 } from '../../base/index.ts'
import { generateKeyPair } from '../../identity/index.ts'
import type { NetworkHost, NetworkHostOptions } from '../index.ts'
import { createNode } from '../libp2p-node.ts'
import { DEFAULT_LIMITS } from '../limits.ts'
import { decodeProtobuf, encodeProtobuf, numberField } from '../protobuf.ts'

const hosts: NetworkHost[] = []

async function started(options: Partial<NetworkHostOptions> = {}): Promise<NetworkHost> {
  const host = createLoopbackHost({ limits: { rejoinPause: millis(50) }, ...options })
  hosts.push(host)
  await host.start()
  return host
}

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop()
})

/** A node that nobody can dial. */
function hidden(relay: NetworkHost | string, options: Partial<NetworkHostOptions> = {}): Promise<NetworkHost> {
  return started({ listen: [], bootstrap: [typeof relay === 'string' ? relay : addressOf(relay)], ...options })
}

const relays = (host: NetworkHost): number => host.addresses().filter((address) => address.includes('/p2p-circuit/')).length

describe('a node that nobody can dial', () => {
  test('is not reached without a relay, and who tries learns why', async () => {
    const middle = await started()
    const [one, other] = [await hidden(middle), await hidden(middle)]
    await eventually(() => middle.peers().length === 2)
    await expect(one.send(other.peerId, 'root', utf8('x'))).rejects.toMatchObject({
      code: 'NETWORK_UNREACHABLE',
      message: expect.stringMatching(/no relay is connected that could lead to it/) as unknown
    })
  })

  test('is reached through a relay by its peer id alone, and reaches others so', async () => {
    const relay = await started({ features: { relayService: true } })
    const [one, other] = [await hidden(relay), await hidden(relay)]
    const heard: string[] = []
    other.listen('root', (frame, from) => heard.push(`${from === one.peerId} ${fromUtf8(frame)}`))
    one.listen('root', (frame, from) => heard.push(`${from === other.peerId} ${fromUtf8(frame)}`))
    await eventually(() => relays(one) > 0 && relays(other) > 0)
    await one.send(other.peerId, 'root', utf8('hello'))
    await other.send(one.peerId, 'root', utf8('hello back'))
    await eventually(() => heard.length === 2)
    expect(heard.sort()).toEqual(['true hello', 'true hello back'])
  })

  test('is dialled at the relayed address that it tells', async () => {
    const relay = await started({ features: { relayService: true } })
    const far = await hidden(relay)
    await eventually(() => relays(far) > 0)
    const stranger = await started()
    await stranger.connect(far.addresses().find((address) => address.includes('/p2p-circuit/')) ?? '')
    expect(stranger.peers()).toContain(far.peerId)
  })

  test('finds its relay again after that was gone', async () => {
    const privateKey = generateKeyPair().exportPrivate()
    const relay = await started({ privateKey, features: { relayService: true } })
    const address = addressOf(relay)
    const far = await hidden(relay)
    await eventually(() => relays(far) > 0)
    await relay.stop()
    await eventually(() => relays(far) === 0)
    await started({ privateKey, listen: [address.replace(/\/p2p\/.*/, '')], features: { relayService: true } })
    await eventually(() => relays(far) > 0)
  })

  test('takes no relay when its operator does not want any', async () => {
    const relay = await started({ features: { relayService: true } })
    const [far, near] = [await hidden(relay, { features: { relayUse: 'never' } }), await hidden(relay)]
    await eventually(() => relays(near) > 0)
    expect(relays(far)).toBe(0)
  })
})

test('a connection through a relay is left for a new one before the bytes that the relay allows are used up', async () => {
  const relayLimits = { reservations: 2, duration: minutes(1), data: bytes(262_144) }
  const relay = await started({ features: { relayService: true, relayLimits } })
  const [one, other] = [await hidden(relay), await hidden(relay)]
  let received = 0
  other.listen('root', (frame) => {
    received += frame.length
  })
  await eventually(() => relays(other) > 0 && relays(one) > 0)
  for (let sent = 0; sent < 10; sent += 1) await one.send(other.peerId, 'root', new Uint8Array(100_000))
  await eventually(() => received === 1_000_000)
})

test('a relay has no more places than it is given, and takes back those of who has gone', async () => {
  const relayLimits = { reservations: 1, duration: minutes(1), data: bytes(262_144) }
  const relay = await started({ features: { relayService: true, relayLimits } })
  const first = await hidden(relay)
  await eventually(() => relays(first) > 0)
  const refused = await hidden(relay)
  await eventually(() => relay.peers().length === 2)
  expect(relays(refused)).toBe(0)
  await first.stop()
  await eventually(() => !relay.isConnected(first.peerId))
  const second = await hidden(relay)
  await eventually(() => relays(second) + relays(refused) > 0)
  expect([relays(second), relays(refused)]).toContain(0)
})

test('a relay that carries many connections to one node has nothing to warn of', async () => {
  const warnings: string[] = []
  const warned = (warning: Error): void => void warnings.push(warning.name)
  process.on('warning', warned)
  const relay = await started({ features: { relayService: true } })
  const far = await hidden(relay)
  await eventually(() => relays(far) > 0)
  const source = await createNode({
    privateKey: privateKeyFromProtobuf(generateKeyPair().exportPrivate()),
    listen: [],
    limits: DEFAULT_LIMITS,
    peerScore: () => 0
  })
  try {
    await source.start()
    const connection = await source.dial(multiaddr(addressOf(relay)))
    const target = { number: 2, value: encodeProtobuf([{ number: 1, value: peerIdFromString(far.peerId).toMultihash().bytes }]) }
    for (let opened = 0; opened < 12; opened += 1) {
      const messages = lpStream(await connection.newStream('/libp2p/circuit/relay/0.2.0/hop'))
      await messages.write(encodeProtobuf([{ number: 1, value: 1n }, target]))
      const answer = decodeProtobuf((await messages.read()).subarray())
      expect(answer.ok && numberField(answer.value, 5)).toBe(100n)
    }
    expect(warnings).toEqual([])
  } finally {
    process.off('warning', warned)
    await source.stop()
  }
})

test('messages larger than what a relayed connection may still carry go over a new one', async () => {
  const relay = await started({ features: { relayService: true } })
  const [one, other] = [await hidden(relay), await hidden(relay)]
  let received = 0
  other.listen('root', (frame) => {
    received += frame.length
  })
  await eventually(() => relays(other) > 0)
  for (let sent = 0; sent < 6; sent += 1) await one.send(other.peerId, 'root', new Uint8Array(900_000))
  await eventually(() => received === 6 * 900_000)
})
