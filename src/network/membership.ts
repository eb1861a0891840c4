import type { PeerId, PrivateKey } from '@libp2p/interface'
import { CancelledError, type Clock, type Logger, type Random, seconds } from '../base/index.ts'
import { withoutPeer } from './address-kinds.ts'
import { createBoard } from './advertisements/board.ts'
import { type BootstrapOptions, dialBootstrap, stayConnected } from './bootstrap.ts'
import { createDiscovery, type Discovery } from './discovery.ts'
import type { NetworkFeatures } from './features.ts'
import { hashTablesOf } from './hash-tables.ts'
import { createKnownPeers, type DialTarget, type PeerStorage } from './known-peers.ts'
import type { Node } from './libp2p-node.ts'
import type { NetworkLimits } from './limits.ts'
import type { NetworkNames } from './names.ts'
import type { Reach } from './reach.ts'
import type { ReachabilityWatch } from './reachability/watch.ts'
import { HOP_PROTOCOL } from './relay/reserve.ts'
import { followRelays, type RelayNoticeOptions } from './relay-notices.ts'

/** What being a member of a network needs. */
export interface MembershipOptions {
  readonly self: PeerId
  readonly bootstrap: readonly DialTarget[]
  readonly privateKey: PrivateKey
  readonly names: NetworkNames
  readonly features: NetworkFeatures
  readonly reachability: ReachabilityWatch
  readonly storage: PeerStorage
  readonly limits: NetworkLimits
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** How often the addresses of the interfaces are looked at. */
const LOOK_EVERY = seconds(30)

/**
 * Keeps a started node in its network until the signal is aborted: goes back to peers known from before and to bootstrap peers, finds
 * others, is found by them, and does so again when the addresses of this machine change (B §5.2).
 */
export async function stayMember(node: Node, reach: Reach, options: MembershipOptions, signal: AbortSignal): Promise<void> {
  const { self, limits, clock, log } = options
  const isConnected = (peer: PeerId): boolean => node.getConnections(peer).length > 0
  const connected = (): number => node.getPeers().length
  const known = createKnownPeers({ ...options, isConnected })
  const discovery = createDiscovery({
    ...options,
    ...{ reach, isConnected, connected },
    rendezvous: options.names.rendezvous,
    tables: hashTablesOf(node)
  })
  const joining: BootstrapOptions = {
    bootstrap: options.bootstrap.filter(({ peer }) => !peer.equals(self)),
    known: known.targets,
    nextDisconnect: (inner) => nextDisconnect(node, inner),
    pause: limits.rejoinPause,
    ...{ reach, isConnected, connected, clock, log }
  }
  node.addEventListener('peer:identify', ({ detail }) => known.identified(detail), { signal })
  node.addEventListener('peer:disconnect', ({ detail }) => known.disconnected(detail), { signal })
  node.services.localDiscovery?.addEventListener('peer', ({ detail }) => void discovery.meet(detail, signal))
  await known.load()
  const board = createBoard({ ...options, namespace: options.names.advertisements, tables: hashTablesOf(node) })
  const relays: RelayNoticeOptions = {
    ...{ board, reach, clock, log, random: options.random, reachability: options.reachability },
    serves: options.features.relayService,
    announced: () => node.services.addressBook.announced(),
    connectedRelays: () => countRelays(node)
  }
  await Promise.all([
    stayConnected(joining, signal),
    known.run(signal),
    discovery.run(signal),
    discovery.walk(signal),
    board.run(signal),
    followRelays(relays, signal),
    followAddresses(node, clock, (inner) => comeBack(joining, discovery, inner), signal)
  ])
}

async function countRelays(node: Node): Promise<number> {
  const connected = await Promise.all(node.getPeers().map((peer) => node.peerStore.get(peer).catch(() => undefined)))
  return connected.filter((peer) => peer?.protocols.includes(HOP_PROTOCOL)).length
}

/** Others learn the new addresses from the peers that are still connected, from bootstrap peers and from the hash tables. */
async function comeBack(joining: BootstrapOptions, discovery: Discovery, signal: AbortSignal): Promise<void> {
  joining.log.info('what others know of the addresses of this node changed, so they are told')
  await dialBootstrap(joining, signal)
  await discovery.advertise(signal)
}

/** Calls back whenever what this node announces has changed; peers that are connected are told before (identify push). */
async function followAddresses(
  node: Node,
  clock: Clock,
  changed: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal
): Promise<void> {
  const { addressBook } = node.services
  let before = addressBook.announced().join(' ')
  const look = async (): Promise<void> => {
    const now = addressBook.announced()
    if (now.join(' ') === before) return
    before = now.join(' ')
    await node.peerStore.patch(node.peerId, { multiaddrs: now.map(withoutPeer) })
    await changed(signal)
  }
  const ended = (): void => undefined // aborted: the loop ends
  while (!signal.aborted) await clock.sleep(LOOK_EVERY, { signal }).then(look, ended)
}

function nextDisconnect(node: Node, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      node.removeEventListener('peer:disconnect', onDisconnect)
      reject(new CancelledError('waiting for a disconnect was cancelled'))
    }
    const onDisconnect = (): void => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    node.addEventListener('peer:disconnect', onDisconnect, { once: true })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
