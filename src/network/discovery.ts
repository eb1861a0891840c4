import type { PeerId, PeerInfo } from '@libp2p/interface'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import {
  type Clock,
  errorMessage,
  hours,
  type Logger,
  type Millis,
  mapConcurrently,
  millis,
  minutes,
  type Random,
  randomInt,
  seconds,
  shuffled,
  withTimeout
} from '../base/index.ts'
import type { Reach } from './reach.ts'

/** The part of the hash tables that discovery uses; all tables are asked at once. */
export interface HashTables {
  provide(cid: CID, options: { readonly signal: AbortSignal }): Promise<void>
  findProviders(cid: CID, options: { readonly signal: AbortSignal }): AsyncIterable<PeerInfo>
  getClosestPeers(key: Uint8Array, options: { readonly signal: AbortSignal }): AsyncIterable<PeerInfo>
}

/** What finding other nodes needs. */
export interface DiscoveryOptions {
  readonly self: PeerId
  readonly tables: HashTables
  readonly rendezvous: string
  readonly reach: Reach
  readonly isConnected: (peer: PeerId) => boolean
  readonly connected: () => number
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

const FIRST_DISCOVERY = minutes(1)
const DISCOVER_EVERY = minutes(15)
const ADVERTISE_EVERY = hours(6)
const QUERY_TIMEOUT = minutes(1)

/** Nodes that are taken from one search, and dialled after it (B §5.2). */
const MAX_FOUND = 40
const MAX_DIALLED = 16

/** With so many connections no more are looked for: the lower mark of the reference (B §5.1). */
const ENOUGH_CONNECTIONS = 100

const FIRST_WALK = minutes(5)
const LONGEST_WALK_PAUSE = hours(4)
const WALK_RETRY = seconds(10)
const LONGEST_WALK_RETRY = minutes(5)
const MAX_HOPS = 20

/** Nodes of one network find each other under its rendezvous name (B §5.2). */
export interface Discovery {
  /** Says under the rendezvous name that this node is here; failures are only logged. */
  advertise(signal: AbortSignal): Promise<void>
  /** Connects to a node that showed up in the local network, unless there are connections enough; failures are only logged. */
  meet(peer: PeerInfo, signal: AbortSignal): Promise<void>
  /** Advertises and discovers again and again until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>
  /** Keeps the hash tables filled with peers from everywhere, until the signal is aborted. */
  walk(signal: AbortSignal): Promise<void>
}

/** Creates the discovery of a node. */
export function createDiscovery(options: DiscoveryOptions): Discovery {
  const { tables, rendezvous, connected, clock, random, log } = options

  async function within<T>(what: string, signal: AbortSignal, work: (inner: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      return await withTimeout(clock, QUERY_TIMEOUT, what, work, { signal })
    } catch (error) {
      if (!signal.aborted) log.debug(`${what} failed`, { error: errorMessage(error) })
      return undefined
    }
  }

  async function advertise(signal: AbortSignal): Promise<void> {
    const cid = await contentId(rendezvous)
    await within('advertising this node', signal, (inner) => tables.provide(cid, { signal: inner }))
  }

  async function discover(signal: AbortSignal): Promise<void> {
    if (connected() >= ENOUGH_CONNECTIONS) return
    const cid = await contentId(rendezvous)
    const found: PeerInfo[] = []
    await within('looking for other nodes', signal, async (inner) => {
      for await (const peer of tables.findProviders(cid, { signal: inner })) {
        if (isNew(peer, found, options)) found.push(peer)
        if (found.length >= MAX_FOUND) break
      }
    })
    const chosen = shuffled(random, found).slice(0, MAX_DIALLED)
    await mapConcurrently(chosen, MAX_DIALLED, (peer) => dial(peer, options, signal))
    if (chosen.length > 0) log.debug('looked for other nodes', { found: found.length, dialled: chosen.length })
  }

  async function pause(duration: Millis, signal: AbortSignal): Promise<void> {
    await clock.sleep(duration, { signal }).catch(() => undefined) // aborted: the loops end
  }

  return {
    advertise,
    async meet(peer, signal) {
      if (connected() < ENOUGH_CONNECTIONS && isNew(peer, [], options)) await dial(peer, options, signal)
    },
    async run(signal) {
      await pause(FIRST_DISCOVERY, signal)
      let advertised: Millis | undefined
      while (!signal.aborted) {
        if (advertised === undefined || clock.now() - advertised >= ADVERTISE_EVERY) {
          await advertise(signal)
          advertised = clock.now()
        }
        await discover(signal)
        await pause(DISCOVER_EVERY, signal)
      }
    },
    async walk(signal) {
      let [interval, retry] = [FIRST_WALK, WALK_RETRY]
      await pause(FIRST_WALK, signal)
      while (!signal.aborted) {
        const met = await within('walking through the hash tables', signal, (inner) => hop(tables, random, inner))
        if (met === undefined || met === 0) {
          await pause(retry, signal)
          retry = millis(Math.min(LONGEST_WALK_RETRY, 1.25 * retry))
        } else {
          retry = WALK_RETRY
          interval = millis(Math.min(LONGEST_WALK_PAUSE, 1.5 * interval))
          await pause(millis(interval / 2 + randomInt(random, Math.floor(interval))), signal)
        }
      }
    }
  }
}

/** The content id under which the nodes with a name are providers: that of the name itself. */
export async function contentId(name: string): Promise<CID> {
  return CID.createV1(RAW, await sha256.digest(new TextEncoder().encode(name)))
}

/** The codec of bytes that mean nothing by themselves. */
const RAW = 0x55

function isNew({ id, multiaddrs }: PeerInfo, found: readonly PeerInfo[], { self, isConnected }: DiscoveryOptions): boolean {
  if (id.equals(self) || multiaddrs.length === 0 || isConnected(id)) return false
  return !found.some((other) => other.id.equals(id))
}

async function dial({ id, multiaddrs }: PeerInfo, { reach, log }: DiscoveryOptions, signal: AbortSignal): Promise<void> {
  try {
    await reach.dial(id, multiaddrs, signal)
  } catch (error) {
    log.debug('could not connect to a node that was found', { peer: id.toString(), error: errorMessage(error) })
  }
}

/** Asks for the peers closest to a random place; resolves with how many there were. */
async function hop(tables: HashTables, random: Random, signal: AbortSignal): Promise<number> {
  let met = 0
  for await (const _peer of tables.getClosestPeers(random.bytes(32), { signal })) {
    met += 1
    if (met >= MAX_HOPS) break
  }
  return met
}
