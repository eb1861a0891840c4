import type { Connection, IdentifyResult, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { type Clock, errorMessage, type Logger, seconds, withTimeout } from '../base/index.ts'
import { isPublic, isRelayed } from './address-kinds.ts'
import type { RelayUse } from './features.ts'
import { createObservedAddresses } from './holepunch/observed.ts'
import { punchHoles } from './holepunch/punch.ts'
import type { NodeInternals } from './internals.ts'
import type { Node } from './libp2p-node.ts'
import { inboxProtocol } from './limits.ts'
import { refreshOwnAddresses, watchOwnAddresses } from './own-addresses.ts'
import type { Reach } from './reach.ts'
import type { ReachabilityWatch } from './reachability/watch.ts'
import { createReconnector } from './reconnect.ts'
import { createRelayClient } from './relay/client.ts'
import type { RelayPeers } from './relay/peers.ts'
import type { SharingTransport } from './reuseport/transport.ts'

/** What being reached needs. */
export interface WayInOptions {
  readonly node: Node
  readonly internals: NodeInternals
  readonly reach: Reach
  readonly reachability: ReachabilityWatch
  /** Nothing where ports cannot be shared. */
  readonly transport: SharingTransport | undefined
  readonly relays: RelayPeers
  readonly relayUse: RelayUse
  readonly clock: Clock
  readonly log: Logger
}

/** How long a connection may take to show that it is alive after the addresses of this machine changed. */
const PROBE_TIME = seconds(5)

/**
 * Has others reach this node wherever it is, until the signal is aborted: reservations at relays while nobody reaches it directly,
 * direct connections in place of relayed ones, and everything anew when its addresses change. Never rejects.
 */
export async function stayReachable(options: WayInOptions, signal: AbortSignal): Promise<void> {
  const { node, internals, reachability, transport, relays, clock, log } = options
  const observed = createObservedAddresses(clock)
  const isReachable = (): boolean => {
    const verdict = reachability.current()
    return verdict === 'public' || (verdict === 'unknown' && node.getMultiaddrs().some(isPublic))
  }
  const client = createRelayClient({ ...options, use: options.relayUse, isReachable })

  function disconnected({ detail: peer }: CustomEvent<PeerId>): void {
    const reservation = node.services.relay?.reservations.get(peer)
    reservation?.signal.clear()
    node.services.relay?.reservations.delete(peer)
  }

  const reconnector = createReconnector({
    ...options,
    isConnected: (peer) => node.getConnections(peer).length > 0,
    isWanted: async (peer) => (await node.peerStore.get(peer)).protocols.includes(inboxProtocol('root'))
  })

  function identified({ detail }: CustomEvent<IdentifyResult>): void {
    client.identified(detail)
    const { connection, observedAddr, peerId } = detail
    if (observedAddr === undefined || isRelayed(connection.remoteAddr) || transport?.sharesPort(connection) !== true) return
    const isTrusted = relays.bootstrap.has(peerId.toString()) || relays.held.has(peerId.toString())
    observed.report({ address: observedAddr, from: connection.remoteAddr, isTrusted })
    internals.addressManager.addObservedAddr(multiaddr(observedAddr.toString()))
  }

  function closed({ detail: connection }: CustomEvent<Connection>): void {
    client.closed(connection)
    reconnector.closed(connection, signal)
  }

  function addressesChanged(): void {
    log.info('the addresses of this machine changed', { addresses: internals.transportManager.getAddrs().map(String) })
    observed.clear()
    node.services.addressBook.forget()
    refreshOwnAddresses(internals)
    client.reconsider()
    for (const connection of node.getConnections()) void dropIfDead(connection, clock, signal)
  }

  trustOnlyHeldRelays(internals)
  node.addEventListener('peer:identify', identified, { signal })
  node.addEventListener('connection:close', closed, { signal })
  node.addEventListener('peer:disconnect', disconnected, { signal })
  node.addEventListener('self:peer:update', () => client.reconsider(), { signal })
  const unfollow = reachability.onChange(() => client.reconsider())
  signal.addEventListener('abort', unfollow, { once: true })
  const punching = punchHoles({ ...options, observed }, signal).catch((error: unknown) => {
    log.error('relayed connections will not become direct', { error: errorMessage(error) })
  })
  await Promise.all([punching, client.run(signal), watchOwnAddresses(clock, addressesChanged, signal)])
}

/** A connection from an address that this machine no longer has would else be noticed after many seconds. */
async function dropIfDead(connection: Connection, clock: Clock, signal: AbortSignal): Promise<void> {
  try {
    const probe = async (inner: AbortSignal): Promise<void> => {
      const stream = await connection.newStream('/ipfs/ping/1.0.0', { signal: inner, runOnLimitedConnection: true })
      await stream.close({ signal: inner })
    }
    await withTimeout(clock, PROBE_TIME, 'the probe of a connection', probe, { signal })
  } catch (error) {
    connection.abort(error instanceof Error ? error : new Error(errorMessage(error)))
  }
}

/**
 * Has libp2p believe that there is a reservation with whoever brings a connection: without one it would make one, so that any peer
 * could have this node announce it as its relay. Which relays are let in is decided when a node is made, see `createNode`.
 */
function trustOnlyHeldRelays({ transportManager }: NodeInternals): void {
  for (const transport of transportManager.getTransports()) {
    const store: unknown = Reflect.get(transport, 'reservationStore')
    if (typeof store === 'object' && store !== null) Reflect.set(store, 'hasReservation', () => true)
  }
}
