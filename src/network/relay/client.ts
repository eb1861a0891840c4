import type { Connection, IdentifyResult, PeerId } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import {
  type Clock,
  errorMessage,
  type Logger,
  linkSignals,
  type Millis,
  millis,
  minutes,
  seconds,
  withTimeout
} from '../../base/index.ts'
import { ipOf, isPublic, isRelayed } from '../address-kinds.ts'
import { parsePeerId } from '../addresses.ts'
import type { RelayUse } from '../features.ts'
import type { NodeInternals } from '../internals.ts'
import type { Reach } from '../reach.ts'
import { createRelayCandidates, type RelayCandidate } from './candidates.ts'
import type { RelayPeers } from './peers.ts'
import { HOP_PROTOCOL, type Reservation, reserve } from './reserve.ts'

/** What keeping reservations needs. */
export interface RelayClientOptions {
  readonly internals: NodeInternals
  readonly reach: Reach
  readonly relays: RelayPeers
  /** Whether others reach this node directly, as far as is known. */
  readonly isReachable: () => boolean
  readonly use: RelayUse
  readonly clock: Clock
  readonly log: Logger
}

/** Has this node reached through relays while nobody reaches it directly. */
export interface RelayClient {
  /** To be told of every peer that was identified. */
  identified(result: IdentifyResult): void
  /** To be told of every connection that closed. */
  closed(connection: Connection): void
  /** To be told when it may have changed whether this node is reachable. */
  reconsider(): void
  /** Keeps reservations until the signal is aborted. Never rejects. */
  run(signal: AbortSignal): Promise<void>
}

/** Relays at the same time (B §5.1). */
const RELAYS = 2

/** Pause before a relay that refused or failed is asked again (B §5.1). */
const BACK_OFF = seconds(30)

/** How long a relay may take to answer. */
const ANSWER_TIME = seconds(5)

/** Candidates that are remembered besides bootstrap nodes. */
const MAX_CANDIDATES = 64

/** Addresses that are told for one relay. */
const MAX_ADDRESSES = 4

/** A reservation is renewed when half of its life, and at most this much, is left. */
const LONGEST_REST = minutes(15)

interface Held {
  readonly connection: Connection
  readonly addresses: readonly Multiaddr[]
  readonly expiresAt: Millis
  readonly renewAt: Millis
}

/** Creates the {@link RelayClient} of a running node. */
export function createRelayClient(options: RelayClientOptions): RelayClient {
  const { internals, reach, relays, isReachable, use, clock, log } = options
  const { addressManager } = internals
  const { bootstrap } = relays
  const candidates = createRelayCandidates(MAX_CANDIDATES)
  const held = new Map<string, Held>()
  let wake: () => void = () => undefined

  const needed = (): boolean => use === 'always' || (use === 'auto' && !isReachable())

  function withdraw(peer: string, why: string): void {
    const reservation = held.get(peer)
    if (reservation === undefined) return
    held.delete(peer)
    relays.held.delete(peer)
    for (const address of reservation.addresses) addressManager.removeObservedAddr(address)
    log.info('not reachable through a relay any more', { relay: peer, why })
  }

  function hold(peer: PeerId, connection: Connection, reservation: Reservation): void {
    const now = clock.now()
    const name = peer.toString()
    const rest = Math.min((reservation.expiresAt - now) / 2, LONGEST_REST)
    const addresses = relayedAddresses(peer, connection, reservation)
    for (const stale of held.get(name)?.addresses ?? []) {
      if (!addresses.some((address) => address.equals(stale))) addressManager.removeObservedAddr(stale)
    }
    for (const address of addresses) {
      addressManager.confirmObservedAddr(address, { type: 'observed', ttl: reservation.expiresAt - now })
    }
    if (!held.has(name)) log.info('reachable through a relay', { relay: name, addresses: addresses.map(String) })
    relays.held.add(name)
    held.set(name, { connection, addresses, expiresAt: reservation.expiresAt, renewAt: millis(reservation.expiresAt - rest) })
  }

  async function ask({ peer: name }: RelayCandidate, signal: AbortSignal): Promise<void> {
    const peer = parsePeerId(name)
    try {
      const work = async (inner: AbortSignal): Promise<void> => {
        const connection = await reach.connection(peer, inner)
        if (connection.limits !== undefined || isRelayed(connection.remoteAddr))
          throw new Error('it is only reached through a relay')
        const reservation = await reserve(connection, inner)
        if (reservation.expiresAt <= clock.now() + BACK_OFF) throw new Error('it gave a reservation that ends at once')
        hold(peer, connection, reservation)
      }
      await withTimeout(clock, ANSWER_TIME, 'the reservation', work, { signal })
    } catch (error) {
      if (signal.aborted) return
      candidates.postpone(name, millis(clock.now() + BACK_OFF))
      withdraw(name, errorMessage(error))
      log.debug('a relay gave no reservation', { relay: name, error: errorMessage(error) })
    }
  }

  /** Gives up what ended, renews what is about to, and fills up. */
  async function tend(signal: AbortSignal): Promise<void> {
    const now = clock.now()
    if (!needed()) {
      for (const peer of held.keys()) withdraw(peer, 'this node is reachable directly')
      return
    }
    for (const [peer, { expiresAt, renewAt }] of held) {
      if (expiresAt <= now) withdraw(peer, 'the reservation ended')
      else if (renewAt <= now) await ask({ peer, isBootstrap: bootstrap.has(peer) }, signal)
    }
    for (const candidate of candidates.ready(now)) {
      if (held.size >= RELAYS) return
      if (!held.has(candidate.peer)) await ask(candidate, signal)
    }
  }

  function nextLook(): Millis {
    const now = clock.now()
    const times = [...held.values()].map(({ renewAt }) => renewAt)
    const retry = held.size < RELAYS ? candidates.nextReady(now) : undefined
    const next = Math.min(now + BACK_OFF, ...times, ...(retry === undefined ? [] : [retry]))
    return millis(Math.max(next - now, seconds(1)))
  }

  async function woken(signal: AbortSignal): Promise<void> {
    const pause = linkSignals(signal)
    wake = () => pause.end()
    await clock.sleep(nextLook(), { signal: pause.signal }).catch(() => undefined) // woken early: the loop looks again
    pause.end()
  }

  return {
    identified({ peerId, protocols, listenAddrs, connection }) {
      const peer = peerId.toString()
      if (connection.limits !== undefined) return
      const isBootstrap = bootstrap.has(peer)
      const isRelay = protocols.includes(HOP_PROTOCOL)
      const isDialable = listenAddrs.some(isPublic) || (isBootstrap && isAtHome(connection, listenAddrs))
      candidates.identified({ peer, isRelay, isDialable, isBootstrap, connection: connection.id })
      if (!isRelay || !isDialable) return
      if (relays.known.size < MAX_CANDIDATES + bootstrap.size) relays.known.add(peer)
      wake()
    },
    closed({ id }) {
      for (const [peer, { connection }] of held) if (connection.id === id) withdraw(peer, 'the connection to it closed')
      wake()
    },
    reconsider: () => wake(),
    async run(signal) {
      while (!signal.aborted) {
        const waiting = woken(signal)
        await tend(signal)
        await waiting
      }
    }
  }
}

/** Whether the peer was dialled at an address that it calls its own: others of the same site reach it there, no router in between. */
function isAtHome({ direction, remoteAddr }: Connection, listenAddrs: readonly Multiaddr[]): boolean {
  const ip = ipOf(remoteAddr)
  return (
    direction === 'outbound' && ip !== undefined && listenAddrs.some((address) => !isRelayed(address) && ipOf(address) === ip)
  )
}

/** How others dial this node through a relay: by what it says of itself, and by where this node reached it. */
function relayedAddresses(relay: PeerId, connection: Connection, { addresses }: Reservation): readonly Multiaddr[] {
  const dialled = connection.direction === 'outbound' ? [connection.remoteAddr] : []
  const texts = [...dialled, ...addresses.filter(isPublic)].map(
    (address) => `${address.toString().replace(/\/p2p\/.*$/, '')}/p2p/${relay}/p2p-circuit`
  )
  return [...new Set(texts)].slice(0, MAX_ADDRESSES).map((text) => multiaddr(text))
}
