import '../../polyfills.ts'
import type { Connection, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { lpStream, streamPair } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { type Clock, type Millis, millis, seconds, silentLogger } from '../../base/index.ts'
import { generateKeyPair } from '../../identity/index.ts'
import type { NodeInternals } from '../internals.ts'
import { encodeProtobuf } from '../protobuf.ts'
import { createRelayClient } from './client.ts'
import { createRelayPeers } from './peers.ts'
import { HOP_PROTOCOL } from './reserve.ts'

const START = 1_800_000_000_000

/** Asks one relay for a minute whose reservations last so many seconds; how often it was asked, and what was announced. */
async function minuteWith(lifetime: number): Promise<{ readonly asked: number; readonly told: readonly Multiaddr[] }> {
  let now = START
  let asked = 0
  const told: Multiaddr[] = []
  const minute = new AbortController()
  const clock: Clock = {
    now: () => millis(now),
    sleep(duration: Millis) {
      if (duration === seconds(5)) return new Promise(() => undefined) // a time limit
      now += duration
      if (now >= START + 60_000) minute.abort()
      return Promise.resolve()
    }
  }
  const newStream = async (): Promise<Stream> => {
    asked += 1
    const [near, far] = await streamPair()
    const messages = lpStream(far)
    const reservation = encodeProtobuf([{ number: 1, value: BigInt(Math.floor(now / 1000) + lifetime) }])
    const answer = [
      { number: 1, value: 2n },
      { number: 3, value: reservation },
      { number: 5, value: 100n }
    ]
    void messages.read().then(() => messages.write(encodeProtobuf(answer)))
    return near
  }
  const remoteAddr = multiaddr('/ip4/9.9.9.9/tcp/9000')
  const peerId = peerIdFromString(generateKeyPair().peerId)
  const connection = { id: 'one', direction: 'outbound', remotePeer: peerId, remoteAddr, newStream } as unknown as Connection
  const addressManager = {
    confirmObservedAddr: (address: Multiaddr) => void told.push(address),
    removeObservedAddr: () => undefined
  }
  const client = createRelayClient({
    internals: { addressManager } as unknown as NodeInternals,
    reach: { connection: async () => connection, dial: async () => connection },
    relays: createRelayPeers([]),
    isReachable: () => false,
    use: 'auto',
    ...{ clock, log: silentLogger }
  })
  client.identified({ peerId, protocols: [HOP_PROTOCOL], listenAddrs: [remoteAddr], connection })
  await client.run(minute.signal)
  return { asked, told }
}

test.each([0, -3600, 10])(
  'a reservation that ends in %d s is none, and its relay is not asked again at once',
  async (lifetime) => {
    const { asked, told } = await minuteWith(lifetime)
    expect(told).toEqual([])
    expect(asked).toBeLessThanOrEqual(3)
  }
)

test('a reservation of an hour is announced, and kept', async () => {
  const { asked, told } = await minuteWith(3600)
  expect(told).toHaveLength(1)
  expect(asked).toBe(1)
})
