import type { PeerInfo } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { type Clock, type Millis, millis, minutes, silentLogger, systemClock, systemRandom } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { parsePeerId } from './addresses.ts'
import { createDiscovery, type DiscoveryOptions, type HashTables } from './discovery.ts'

const self = parsePeerId(generateKeyPair().peerId)
const ADDRESS = multiaddr('/ip4/127.0.0.1/tcp/9000')

function somePeer(multiaddrs: Multiaddr[] = [ADDRESS]): PeerInfo {
  return { id: parsePeerId(generateKeyPair().peerId), multiaddrs }
}

interface Scene {
  readonly stopping: AbortController
  readonly events: string[]
  readonly slept: Millis[]
  readonly options: DiscoveryOptions
}

/** Time passes only while somebody sleeps; after `sleeps` of them everything is stopped. */
function createScene(found: readonly PeerInfo[], sleeps: number, changes: Partial<DiscoveryOptions> = {}): Scene {
  const [stopping, events, slept] = [new AbortController(), [] as string[], [] as Millis[]]
  let now = 0
  const clock: Clock = {
    now: () => millis(now),
    async sleep(duration, { signal } = {}) {
      if (duration === minutes(1) && slept.length > 0) return systemClock.sleep(duration, signal === undefined ? {} : { signal })
      now += duration
      slept.push(duration)
      if (slept.length === sleeps) stopping.abort()
    }
  }
  const tables: HashTables = {
    provide: async (cid) => void events.push(`provide ${cid.toString()}`),
    async *findProviders() {
      events.push('find')
      yield* found
    },
    async *getClosestPeers() {
      events.push('walk')
      yield* found
    }
  }
  const dial = async (peer: unknown): Promise<never> => {
    events.push(`dial ${String(peer)}`)
    throw new Error('nobody there')
  }
  const options: DiscoveryOptions = {
    ...{ self, tables, clock },
    rendezvous: 'nunet-test',
    reach: { connection: dial, dial },
    isConnected: () => false,
    connected: () => 0,
    random: systemRandom,
    log: silentLogger,
    ...changes
  }
  return { stopping, events, slept, options }
}

describe('discovery', () => {
  test('advertises after a minute and every six hours, and looks for others every 15 minutes', async () => {
    const { stopping, events, slept, options } = createScene([], 26)
    await createDiscovery(options).run(stopping.signal)
    expect(slept).toEqual([1, ...new Array<number>(25).fill(15)].map(minutes))
    const kinds = events.map((event) => event.split(' ')[0])
    expect(kinds.filter((kind) => kind === 'find')).toHaveLength(25)
    expect(kinds.filter((kind) => kind === 'provide')).toHaveLength(2)
    expect(kinds.slice(0, 2)).toEqual(['provide', 'find'])
  })

  test('uses the content id of the rendezvous name that the reference uses', async () => {
    const { stopping, events, options } = createScene([], 2)
    await createDiscovery(options).run(stopping.signal)
    expect(events[0]).toBe('provide bafkreiezjob5s3zoag2hrpogatpof3fzdlcibugffjhpmkibilfd34nh4y')
  })

  test('dials at most 16 of those found, never itself, a connected one or one without an address', async () => {
    const connected = somePeer()
    const useless = [{ id: self, multiaddrs: [ADDRESS] }, connected, somePeer([])]
    const good = Array.from({ length: 60 }, () => somePeer())
    const isConnected: DiscoveryOptions['isConnected'] = (peer) => peer.equals(connected.id)
    const { stopping, events, options } = createScene([...useless, ...good], 2, { isConnected })
    await createDiscovery(options).run(stopping.signal)
    const dialled = events.filter((event) => event.startsWith('dial ')).map((event) => event.slice(5))
    expect(dialled).toHaveLength(16)
    const firstFound = new Set(good.slice(0, 40).map(({ id }) => id.toString()))
    for (const peer of dialled) expect(firstFound.has(peer)).toBe(true)
  })

  test('connects to a node of the local network once it shows up, not to a connected one, and not when there are enough', async () => {
    const [near, connected] = [somePeer(), somePeer()]
    const isConnected: DiscoveryOptions['isConnected'] = (peer) => peer.equals(connected.id)
    const { events, options } = createScene([], 9, { isConnected })
    const { signal } = new AbortController()
    for (const peer of [near, connected, { id: self, multiaddrs: [ADDRESS] }]) await createDiscovery(options).meet(peer, signal)
    await createDiscovery({ ...options, connected: () => 100 }).meet(somePeer(), signal)
    expect(events).toEqual([`dial ${near.id.toString()}`])
  })

  test('looks for nobody while there are connections enough', async () => {
    const { stopping, events, options } = createScene([somePeer()], 2, { connected: () => 100 })
    await createDiscovery(options).run(stopping.signal)
    expect(events.map((event) => event.split(' ')[0])).toEqual(['provide'])
  })
})

describe('the walk through the hash tables', () => {
  test('goes on after pauses that grow to four hours', async () => {
    const { stopping, slept, options } = createScene([somePeer()], 16)
    await createDiscovery(options).walk(stopping.signal)
    expect(slept[0]).toBe(minutes(5))
    expect(Math.max(...slept)).toBeLessThanOrEqual(1.5 * minutes(240))
    expect(slept.at(-1)).toBeGreaterThanOrEqual(minutes(120))
  })

  test('that meets nobody is tried again after pauses that grow from 10 s to 5 min', async () => {
    const { stopping, slept, options } = createScene([], 20)
    await createDiscovery(options).walk(stopping.signal)
    expect([slept[1], slept[2], slept.at(-1)]).toEqual([10_000, 12_500, 300_000])
  })
})
