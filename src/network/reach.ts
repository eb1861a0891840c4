import type { Connection, PeerId } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import {
  CancelledError,
  type Clock,
  errorMessage,
  linkSignals,
  millis,
  seconds,
  TimeoutError,
  withTimeout
} from '../base/index.ts'
import { isPublic, isRelayed } from './address-kinds.ts'
import { UnreachableError } from './errors.ts'
import type { NodeInternals } from './internals.ts'
import type { Node } from './libp2p-node.ts'
import type { NetworkLimits } from './limits.ts'
import { isNearby } from './nearby.ts'
import { HOP_PROTOCOL } from './relay/reserve.ts'

/** Finds the way to a peer. */
export interface Reach {
  /**
   * An open connection to the peer, a direct one if there is one. Without one it dials the known addresses, then those that the
   * distributed hash table tells, and then asks the connected relays whether they lead to it, until the peer itself connects.
   *
   * @param room - Bytes that shall go over it; a relayed connection that may not carry so much any more is left for a new one.
   * @throws UnreachableError saying what was tried. CancelledError when the signal is aborted.
   */
  connection(peer: PeerId, signal: AbortSignal, room?: number): Promise<Connection>
  /** Dials the given addresses of a peer unless it is connected. Same errors. */
  dial(peer: PeerId, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection>
}

/** What finding peers needs. */
export interface ReachOptions {
  readonly node: Node
  readonly internals: NodeInternals
  readonly clock: Clock
  readonly limits: NetworkLimits
  /** Aborted when the node stops. */
  readonly stopping: AbortSignal
}

/** How long direct addresses are dialled alone before relayed ones are dialled too. */
const HEAD_START = millis(600)

/** How long what is under way over a used up connection may go on. */
const RETIREMENT = seconds(10)

/** Relays that are asked for the way to one peer. */
const MAX_RELAYS = 4

/** Creates the {@link Reach} of a running node. */
export function createReach({ node, internals, clock, limits, stopping }: ReachOptions): Reach {
  const direct = (addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> =>
    node.dial([...addresses], { signal })

  /**
   * One address of each relay, past libp2p's queue, in which this dial would join the one of the direct addresses and wait for its
   * end. The first connection is taken, another that came at the same moment is closed.
   */
  async function relayed(addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const ways = [...new Map(addresses.map((address) => [relayOf(address), address])).values()].slice(0, MAX_RELAYS)
    const dials = ways.map((address) => internals.transportManager.dial(address, { signal }))
    const first = await Promise.any(dials)
    for (const dial of dials) {
      const spare = (connection: Connection): unknown => (connection === first ? undefined : connection.close())
      dial.then(spare).catch(() => undefined) // it failed, or broke before it was closed: nothing is left of it
    }
    return first
  }

  /** Direct addresses first; relayed ones a little later, because a dead address takes seconds to be known as such. */
  async function race(addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const viaRelay = addresses.filter(isRelayed)
    const plain = addresses.filter((address) => !isRelayed(address))
    if (viaRelay.length === 0) return direct(plain, signal)
    if (plain.length === 0) return relayed(viaRelay, signal)
    const link = linkSignals(signal)
    const dialled = direct(plain, link.signal)
    const headStart = clock.sleep(HEAD_START, { signal: link.signal }).catch(() => undefined) // over early: the dial was settled
    try {
      await Promise.race([dialled.catch(() => undefined), headStart])
      return await Promise.any([dialled, relayed(viaRelay, link.signal)])
    } finally {
      link.end()
    }
  }

  async function dialKnown(peer: PeerId, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const complete = addresses.map((address) => withPeer(address, peer))
    const what = `dialling ${addresses.length} addresses of ${peer}`
    return withTimeout(clock, limits.dialTimeout, what, (inner) => race(complete, inner), { signal })
  }

  async function knownAddresses(peer: PeerId): Promise<readonly Multiaddr[]> {
    if (!(await node.peerStore.has(peer))) return []
    return (await node.peerStore.get(peer)).addresses.map(({ multiaddr: address }) => address)
  }

  async function lookUp(peer: PeerId, signal: AbortSignal): Promise<readonly Multiaddr[]> {
    const found = await withTimeout(
      clock,
      limits.lookupTimeout,
      'the lookup',
      (inner) => node.peerRouting.findPeer(peer, { signal: inner }),
      { signal }
    )
    return found.multiaddrs
  }

  /** Ways through connected relays that no address told of; a relay without a reservation of the peer says so at once. */
  async function waysThroughRelays(peer: PeerId): Promise<readonly Multiaddr[]> {
    const ways: Multiaddr[] = []
    for (const connection of node.getConnections()) {
      const { remotePeer, remoteAddr } = connection
      if (isRelayed(remoteAddr) || remotePeer.equals(peer) || ways.length >= MAX_RELAYS) continue
      const { protocols } = await node.peerStore.get(remotePeer)
      if (protocols.includes(HOP_PROTOCOL)) ways.push(multiaddr(`/p2p/${remotePeer}/p2p-circuit/p2p/${peer}`))
    }
    return ways
  }

  async function find(peer: PeerId, signal: AbortSignal): Promise<Connection> {
    const tried: string[] = []
    const attempt = async (what: string, work: () => Promise<Connection>): Promise<Connection | undefined> => {
      try {
        return await work()
      } catch (error) {
        if (signal.aborted) throw new CancelledError(`reaching ${peer} was cancelled`)
        tried.push(`${what}: ${describe(error)}`)
        return undefined
      }
    }
    const known = await knownAddresses(peer)
    if (known.length === 0) tried.push('no address of it is known')
    const dialled =
      known.length === 0 ? undefined : await attempt(`dialled ${known.join(', ')}`, () => dialKnown(peer, known, signal))
    if (dialled !== undefined) return dialled
    const relays = await waysThroughRelays(peer)
    if (relays.length === 0) tried.push('no relay is connected that could lead to it')
    else {
      const what = `asked ${relays.length} connected relays`
      const led = await attempt(what, () => dialKnown(peer, relays, signal))
      if (led !== undefined) return led
    }
    if (node.getPeers().length === 0) tried.push('no peer is connected that could be asked for one')
    else {
      const told = await attempt('asked the DHT', async () => dialKnown(peer, await lookUp(peer, signal), signal))
      if (told !== undefined) return told
    }
    throw new UnreachableError(`cannot reach ${peer}: ${tried.join('; ')}${hint(known)}`, { details: { peer: peer.toString() } })
  }

  /** Closes a used up connection once what is under way on it has had its time: relays bound how many one peer may have. */
  async function retire(connection: Connection): Promise<void> {
    await clock.sleep(RETIREMENT, { signal: stopping }).catch(() => undefined) // the node stops: all its connections close
    await connection.close().catch((error: unknown) => connection.abort(new Error(errorMessage(error))))
  }

  /** Looks for the peer, and stops when it connects by itself. */
  async function findOrMeet(peer: PeerId, signal: AbortSignal, room: number): Promise<Connection> {
    const search = linkSignals(signal)
    const met = new Promise<Connection>((resolve) => {
      const look = (): void => {
        const connection = openConnection(node, peer, room)
        if (connection !== undefined) resolve(connection)
      }
      node.addEventListener('peer:connect', look, { signal: search.signal })
    })
    const found = find(peer, search.signal)
    found.catch(() => undefined) // the peer came first
    try {
      return await Promise.race([found, met])
    } finally {
      search.end()
    }
  }

  return {
    async connection(peer, signal, room = 0) {
      const open = openConnection(node, peer, room)
      if (open !== undefined) return open
      const used = node.getConnections(peer)
      const found = await findOrMeet(peer, signal, room)
      for (const connection of used) void retire(connection)
      return found
    },
    async dial(peer, addresses, signal) {
      const open = openConnection(node, peer, 0)
      if (open !== undefined) return open
      const attempt = (): Promise<Connection> => dialKnown(peer, addresses, signal)
      try {
        // libp2p joins a dial that is under way already, which may have begun before the peer was there: one more is our own.
        return await attempt().catch((error: unknown) => {
          if (signal.aborted || error instanceof TimeoutError) throw error
          return attempt()
        })
      } catch (cause) {
        if (signal.aborted) throw new CancelledError(`connecting to ${peer} was cancelled`)
        throw new UnreachableError(`cannot reach ${addresses.join(', ')}: ${describe(cause)}${hint(addresses)}`, { cause })
      }
    }
  }
}

/** Why dialling was in vain, as far as the addresses tell. */
function hint(addresses: readonly Multiaddr[]): string {
  const isHopeless =
    addresses.length > 0 && !addresses.some((address) => isRelayed(address) || isPublic(address) || isNearby(address))
  return isHopeless ? ' (only addresses of its own local network are known, and no relay that leads to it)' : ''
}

function openConnection(node: Node, peer: PeerId, room: number): Connection | undefined {
  const open = node.getConnections(peer).filter(({ status }) => status === 'open')
  return open.find(({ limits }) => limits === undefined) ?? open.findLast((connection) => hasRoom(connection, room))
}

/** What a relayed connection must still be good for besides what shall go over it: answers, and the frames of the protocols below. */
const SPARE_BYTES = 64 * 1024
const SPARE_SECONDS = 5

/** Relays cut a connection after some time or so many bytes; one that is about to end is left alone. */
export function hasRoom({ limits }: Connection, room: number): boolean {
  if (limits?.bytes !== undefined && limits.bytes < BigInt(room + SPARE_BYTES)) return false
  return limits?.seconds === undefined || limits.seconds > SPARE_SECONDS
}

/** The peer id of the relay, which stands before the part that says that the address leads through it. */
function relayOf(address: Multiaddr): string {
  return address.toString().match(/\/p2p\/([^/]+)\/p2p-circuit/)?.[1] ?? ''
}

function withPeer(address: Multiaddr, peer: PeerId): Multiaddr {
  return address.getComponents().at(-1)?.name === 'p2p' ? address : address.encapsulate(`/p2p/${peer}`)
}

/** All messages of an error that bundles several. */
function describe(error: unknown): string {
  if (!(error instanceof AggregateError) || error.errors.length === 0) return reason(error)
  return error.errors.map(describe).join(', ')
}

/** A failed WebSocket tells its reason in an event. */
function reason(error: unknown): string {
  return error instanceof Object && 'message' in error ? String(error.message) : errorMessage(error)
}
