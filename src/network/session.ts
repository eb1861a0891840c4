import '../polyfills.ts'
import { setMaxListeners } from 'node:events'
import type { Connection, IdentifyResult, PeerId, PrivateKey } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import {
  CancelledError,
  type Clock,
  errorMessage,
  type Logger,
  type Millis,
  millis,
  type Random,
  withTimeout
} from '../base/index.ts'
import { isRelayed } from './address-kinds.ts'
import type { ListenAddresses, PeerAddress } from './addresses.ts'
import type { Counters } from './counters.ts'
import { ListenFailedError, StartFailedError, UnreachableError } from './errors.ts'
import type { NetworkFeatures } from './features.ts'
import type { Inboxes } from './inboxes.ts'
import { createInternals } from './internals.ts'
import { createKeptTransmitter, type KeptTransmitter } from './kept-transmit.ts'
import type { DialTarget, PeerStorage } from './known-peers.ts'
import { createNode, type Node } from './libp2p-node.ts'
import type { NetworkLimits } from './limits.ts'
import { stayMember } from './membership.ts'
import type { NetworkNames } from './names.ts'
import { createReach, type Reach } from './reach.ts'
import { createDialBack } from './reachability/dial-back.ts'
import { createReachabilityWatch, type ReachabilityWatch } from './reachability/watch.ts'
import { AUTONAT_PROTOCOL } from './reachability/wire.ts'
import { createReceiver, type Receiver } from './receive.ts'
import { createRelayPeers, type RelayPeers } from './relay/peers.ts'
import { loadPortSharing } from './reuseport/system-calls.ts'
import { createSharingTransport, type SharingTransport } from './reuseport/transport.ts'
import { routingTableOf } from './routing-table.ts'
import type { Subscribers } from './subscribers.ts'
import { createTopics, type Topics } from './topics.ts'
import { createTransmitter } from './transmit.ts'
import { loadQuic, TCP_OPTIONS, type TransportFactory } from './transports.ts'
import type { PeerConnection, PeerEvent, RoutingEntry } from './types.ts'
import { stayReachable } from './way-in.ts'

/** What one life of a libp2p node needs. */
export interface SessionOptions {
  readonly privateKey: PrivateKey
  readonly self: PeerId
  readonly listen: ListenAddresses
  readonly announce: readonly string[]
  readonly features: NetworkFeatures
  readonly names: NetworkNames
  readonly bootstrap: readonly PeerAddress[]
  readonly storage: PeerStorage
  readonly inboxes: Inboxes
  readonly subscribers: Subscribers
  readonly counters: Counters
  readonly peerScore: (peer: string) => number
  readonly onPeer: (event: PeerEvent) => void
  readonly limits: NetworkLimits
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** A libp2p node between its start and its stop. Peers are libp2p's own values: the host turns texts into them. */
export interface Session extends Receiver, Omit<KeptTransmitter, 'close'> {
  readonly topics: Topics
  readonly reach: Reach
  readonly reachability: ReachabilityWatch
  peers(): readonly string[]
  connectionTo(peer: string): PeerConnection | undefined
  knownPeers(): Promise<readonly string[]>
  addresses(): readonly string[]
  ping(peer: PeerId, signal: AbortSignal | undefined): Promise<Millis>
  routingTable(): readonly RoutingEntry[]
  /** Ends within 2 s, whatever peers do; one-shot timers of the library may run out for another second, and do nothing then. */
  close(): Promise<void>
}

/** How long an orderly stop may take before connections are cut. */
const STOP_TIMEOUT = millis(1500)

/**
 * Starts a node: inboxes are offered before the first peer can ask, then the bootstrap peers are dialled in the background
 * (B §5.2, §12.4). Inboxes and topics that come meanwhile are left to the caller: `offerInboxes`, `topics.followSubscribers`.
 *
 * @throws ListenFailedError, StartFailedError; nothing is left running then.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { clock, log, limits } = options
  const quic = await quicFor(options.listen, log)
  const listen = [...options.listen.plain, ...(quic === undefined ? [] : options.listen.quic)]
  const relays = createRelayPeers(options.bootstrap.map(({ peer }) => peer))
  const sharing = await sharingTransport(relays, log)
  const node = await createNode({
    ...options,
    ...{ quic, listen },
    sharingTcp: sharing?.factory,
    acceptsRelay: (relay) => relays.held.has(relay.toString())
  })
  const receiver = createReceiver(node, options)
  receiver.offerInboxes()
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal) // every loop, dial and event of the session hears it
  const reachability = await createReachability(node, relays, options, stopping.signal)
  await startNode(node, listen)
  const topics = createTopics(node.services.pubsub, options)

  watchPeers(node, options.onPeer, stopping.signal)
  const internals = createInternals(node.services.parts)
  const reach = createReach({ node, internals, clock, limits, stopping: stopping.signal })
  const plain = createTransmitter(reach, { limits, clock })
  const kept = createKeptTransmitter({ node, reach, plain, counters: options.counters, limits, clock })
  const watching = reachability.run(stopping.signal)
  const { relayUse } = options.features
  const wayIn = stayReachable(
    { node, internals, reach, reachability, transport: sharing, relays, relayUse, clock, log },
    stopping.signal
  )
  const bootstrap = byPeer(options.bootstrap)
  const joining = stayMember(node, reach, { ...options, reachability, bootstrap }, stopping.signal)

  return {
    ...receiver,
    transmit: kept.transmit,
    speaksKept: kept.speaksKept,
    topics,
    reach,
    peers: () => node.getPeers().map(String),
    connectionTo: (peer) => connectionKind(node, peer),
    async knownPeers() {
      const peers = await node.peerStore.all()
      return peers.filter(({ id }) => !id.equals(options.self)).map(({ id }) => id.toString())
    },
    addresses: () => node.getMultiaddrs().map(String),
    reachability,
    routingTable: () => routingTableOf(node.services.dht, node.services.oldDht),
    ping: (peer, signal) => pingPeer(node, reach, peer, { clock, limits, signal }),
    async close() {
      stopping.abort()
      kept.close()
      topics.close()
      await stopNode(node, clock, log)
      await Promise.all([joining, watching, wayIn])
    }
  }
}

function connectionKind(node: Node, peer: string): PeerConnection | undefined {
  const open = node.getConnections().filter(({ status, remotePeer }) => status === 'open' && remotePeer.toString() === peer)
  if (open.length === 0) return undefined
  return open.every(({ remoteAddr }) => isRelayed(remoteAddr)) ? 'relayed' : 'direct'
}

/** The QUIC transport when there is an address for it; a machine for which it is not made goes without. */
async function quicFor({ quic }: ListenAddresses, log: Logger): Promise<TransportFactory | undefined> {
  if (quic.length === 0) return undefined
  try {
    return await loadQuic()
  } catch (error) {
    const [reason] = errorMessage(error).split('\n')
    log.warn('QUIC is not available on this machine, so its addresses are skipped', { addresses: quic, reason })
    return undefined
  }
}

/** TCP that dials from its listening port; a machine on which that cannot be goes without, and without hole punching. */
async function sharingTransport(relays: RelayPeers, log: Logger): Promise<SharingTransport | undefined> {
  const loaded = await loadPortSharing()
  if (!loaded.available) {
    log.info('ports cannot be shared, so relayed connections become direct only to public addresses', { reason: loaded.reason })
    return undefined
  }
  const shared = (address: Multiaddr): boolean => relays.known.has(address.getComponents().at(-1)?.value ?? '')
  return createSharingTransport({ sharing: loaded.sharing, shared, tcp: TCP_OPTIONS, log })
}

async function startNode(node: Node, listen: readonly string[]): Promise<void> {
  try {
    await node.start()
  } catch (cause) {
    const reason = plainReason(cause)
    if (cause instanceof Error && cause.name === 'UnsupportedListenAddressesError') {
      throw new ListenFailedError(`cannot listen on ${listen.join(', ')} (p2p.listen_address): ${reason}`, { cause })
    }
    throw new StartFailedError(`the network did not start: ${reason}`, { cause })
  }
}

/** What the operating system said, out of libp2p's texts, which quote whole stacks. */
function plainReason(cause: unknown): string {
  const message = errorMessage(cause)
  const said = message.match(/\bE[A-Z]{3,}\b[^\n]*/g)?.map((line) => line.trim()) ?? []
  return said.length > 0 ? [...new Set(said)].join('; ') : message.replaceAll(/\s+/g, ' ')
}

async function stopNode(node: Node, clock: Clock, log: Logger): Promise<void> {
  try {
    await withTimeout(clock, STOP_TIMEOUT, 'stopping the network', async () => node.stop())
  } catch (error) {
    log.warn('the network did not stop in order, so its connections are cut', { error: errorMessage(error) })
    for (const connection of node.getConnections()) connection.abort(new Error('the node stopped'))
  }
}

/** Answers others who ask whether they can be reached, and asks them the same. */
async function createReachability(
  node: Node,
  { bootstrap }: RelayPeers,
  options: SessionOptions,
  signal: AbortSignal
): Promise<ReachabilityWatch> {
  const { self, clock, random, log } = options
  const { parts, addressBook } = node.services
  const dial = (address: Multiaddr, inner: AbortSignal): Promise<Connection> =>
    parts.connectionManager.openConnection(address, { force: true, signal: inner })
  await node.handle(AUTONAT_PROTOCOL, createDialBack({ dial, clock, log }), { maxInboundStreams: 2 })
  const connections = (): Connection[] => node.getConnections()
  const watch = createReachabilityWatch({
    ...{ self, connections, clock, random, log },
    book: addressBook,
    isTrusted: (peer) => bootstrap.has(peer)
  })
  node.addEventListener('peer:identify', ({ detail }) => watch.identified(detail), { signal })
  return watch
}

/** All addresses of a peer are dialled together: else each would become a connection of its own. */
function byPeer(known: readonly PeerAddress[]): readonly DialTarget[] {
  const targets = new Map<string, DialTarget>()
  for (const { peer, address } of known) {
    const addresses = targets.get(peer.toString())?.addresses ?? []
    targets.set(peer.toString(), { peer, addresses: [...addresses, address] })
  }
  return [...targets.values()]
}

function watchPeers(node: Node, onPeer: (event: PeerEvent) => void, signal: AbortSignal): void {
  const identified = ({ detail: { peerId, protocols } }: CustomEvent<IdentifyResult>): void =>
    onPeer({ type: 'identified', peer: peerId.toString(), protocols })
  const disconnected = ({ detail }: CustomEvent<PeerId>): void =>
    onPeer({ type: 'disconnected', peer: detail.toString(), protocols: [] })
  node.addEventListener('peer:identify', identified, { signal })
  node.addEventListener('peer:disconnect', disconnected, { signal })
}

interface PingOptions {
  readonly clock: Clock
  readonly limits: NetworkLimits
  readonly signal: AbortSignal | undefined
}

async function pingPeer(node: Node, reach: Reach, peer: PeerId, { clock, limits, signal }: PingOptions): Promise<Millis> {
  const work = async (inner: AbortSignal): Promise<Millis> => {
    await reach.connection(peer, inner)
    return millis(await node.services.ping.ping(peer, { signal: inner }))
  }
  try {
    return await withTimeout(clock, limits.pingTimeout, `the ping of ${peer}`, work, signal === undefined ? {} : { signal })
  } catch (cause) {
    if (cause instanceof UnreachableError || cause instanceof CancelledError) throw cause
    throw new UnreachableError(`${peer} did not answer: ${errorMessage(cause)}`, { cause })
  }
}
