import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import {
  type Clock,
  errorMessage,
  fromUtf8,
  type Logger,
  mapConcurrently,
  minutes,
  type Random,
  shuffled,
  utf8
} from '../base/index.ts'
import { isPublic } from './address-kinds.ts'
import type { Board, FoundAdvertisement } from './advertisements/board.ts'
import type { Reach } from './reach.ts'
import type { ReachabilityWatch } from './reachability/watch.ts'

/** What telling of relays and finding them needs. */
export interface RelayNoticeOptions {
  readonly board: Board
  readonly reachability: ReachabilityWatch
  /** Whether this node relays for others. */
  readonly serves: boolean
  /** Own addresses. */
  readonly announced: () => readonly Multiaddr[]
  /** How many connected peers relay for others. */
  readonly connectedRelays: () => Promise<number>
  readonly reach: Reach
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** The key under which relays say that they are there. */
const KEY = 'relay'

const LOOK_EVERY = minutes(15)

/** With so many relays connected no more are looked for (B §5.1: two are used). */
const ENOUGH_RELAYS = 2
const MAX_DIALLED = 3
const MAX_ADDRESSES = 8

/**
 * Brings nodes behind NAT and relays together until the signal is aborted: a node that others can reach and that relays says so in the
 * hash tables, one that cannot be reached looks there for relays and connects to a few.
 */
export async function followRelays(options: RelayNoticeOptions, signal: AbortSignal): Promise<void> {
  const { board, reachability, serves, announced, clock } = options
  const end = reachability.onChange((now) => {
    if (serves && now === 'public') void board.advertise(KEY, describe(announced()), signal)
    else void board.unadvertise(KEY, signal)
    if (now === 'private') void findRelays(options, signal)
  })
  while (!signal.aborted) {
    await clock.sleep(LOOK_EVERY, { signal }).catch(() => undefined) // aborted: the loop ends
    if (reachability.current() === 'private') await findRelays(options, signal)
  }
  end()
}

async function findRelays(options: RelayNoticeOptions, signal: AbortSignal): Promise<void> {
  const { board, connectedRelays, reach, random, log } = options
  if (signal.aborted || (await connectedRelays()) >= ENOUGH_RELAYS) return
  const found = shuffled(random, await board.query(KEY, signal)).slice(0, MAX_DIALLED)
  await mapConcurrently(found, MAX_DIALLED, async (relay) => {
    try {
      await reach.dial(relay.peer, addressesOf(relay), signal)
      log.info('connected to a relay', { peer: relay.peer.toString() })
    } catch (error) {
      log.debug('could not connect to a relay', { peer: relay.peer.toString(), error: errorMessage(error) })
    }
  })
}

function describe(addresses: readonly Multiaddr[]): Uint8Array {
  return utf8(addresses.filter(isPublic).slice(0, MAX_ADDRESSES).join('\n'))
}

function addressesOf({ data }: FoundAdvertisement): readonly Multiaddr[] {
  return fromUtf8(data)
    .split('\n')
    .slice(0, MAX_ADDRESSES)
    .flatMap((text) => {
      try {
        return [multiaddr(text)]
      } catch {
        return [] // of a kind that this node does not know
      }
    })
    .filter(isPublic)
}
