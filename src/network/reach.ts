import type { Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { CancelledError, type Clock, errorMessage, TimeoutError, withTimeout } from '../base/index.ts'
import { UnreachableError } from './errors.ts'
import type { Node } from './libp2p-node.ts'
import type { NetworkLimits } from './limits.ts'

/** Finds the way to a peer. */
export interface Reach {
  /**
   * An open connection to the peer, a direct one if there is one. Without one it dials the known addresses and then those that
   * the distributed hash table tells.
   *
   * @throws UnreachableError saying what was tried. CancelledError when the signal is aborted.
   */
  connection(peer: PeerId, signal: AbortSignal): Promise<Connection>
  /** Dials the given addresses of a peer unless it is connected. Same errors. */
  dial(peer: PeerId, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection>
}

/** Creates the {@link Reach} of a running node. */
export function createReach(node: Node, clock: Clock, limits: NetworkLimits): Reach {
  async function dialKnown(peer: PeerId, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    return withTimeout(
      clock,
      limits.dialTimeout,
      `dialling ${addresses.length} addresses of ${peer}`,
      (inner) =>
        node.dial(
          addresses.map((address) => withPeer(address, peer)),
          { signal: inner }
        ),
      { signal }
    )
  }

  async function knownAddresses(peer: PeerId): Promise<readonly Multiaddr[]> {
    if (!(await node.peerStore.has(peer))) return []
    return (await node.peerStore.get(peer)).addresses.map(({ multiaddr }) => multiaddr)
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
    const direct =
      known.length === 0 ? undefined : await attempt(`dialled ${known.join(', ')}`, () => dialKnown(peer, known, signal))
    if (direct !== undefined) return direct
    if (node.getPeers().length === 0) tried.push('no peer is connected that could be asked for one')
    else {
      const told = await attempt('asked the DHT', async () => dialKnown(peer, await lookUp(peer, signal), signal))
      if (told !== undefined) return told
    }
    throw new UnreachableError(`cannot reach ${peer}: ${tried.join('; ')}`, { details: { peer: peer.toString() } })
  }

  return {
    async connection(peer, signal) {
      return openConnection(node, peer) ?? (await find(peer, signal))
    },
    async dial(peer, addresses, signal) {
      const open = openConnection(node, peer)
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
        throw new UnreachableError(`cannot reach ${addresses.join(', ')}: ${describe(cause)}`, { cause })
      }
    }
  }
}

function openConnection(node: Node, peer: PeerId): Connection | undefined {
  const open = node.getConnections(peer).filter(({ status }) => status === 'open')
  return open.find(({ limits }) => limits === undefined) ?? open[0]
}

function withPeer(address: Multiaddr, peer: PeerId): Multiaddr {
  return address.getComponents().some(({ name }) => name === 'p2p') ? address : address.encapsulate(`/p2p/${peer}`)
}

/** All messages of an error that bundles several. */
function describe(error: unknown): string {
  if (!(error instanceof AggregateError) || error.errors.length === 0) return reason(error)
  return error.errors.map(reason).join(', ')
}

/** A failed WebSocket tells its reason in an event. */
function reason(error: unknown): string {
  return error instanceof Object && 'message' in error ? String(error.message) : errorMessage(error)
}
