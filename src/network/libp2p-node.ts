import '../polyfills.ts'
import type { Libp2p, PeerId, PrivateKey } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { type Clock, programBuild, seconds, systemClock } from '../base/index.ts'
import { type AddressBook, createAddressBook, type KnownAddress } from './address-book.ts'
import { withoutPeer } from './address-kinds.ts'
import { advertisementRules } from './advertisements/rules.ts'
import { createEncrypters } from './encryption.ts'
import { type NetworkFeatures, NO_FEATURES } from './features.ts'
import { createForeignRecords, foreignQuotas } from './foreign-records.ts'
import { createGate } from './gate.ts'
import { MUXED_STREAMS, type NetworkLimits } from './limits.ts'
import { type NetworkNames, networkNames } from './names.ts'
import { atCurrentInterfaces } from './own-addresses.ts'
import { createServices, type NodeServices, type ServiceOptions } from './services.ts'
import { limitStreams } from './stream-limit.ts'
import { createTransports, type TransportFactory } from './transports.ts'

/** Our libp2p node; stays inside this module. */
export type Node = Libp2p<NodeServices>

/** What a node is made of. */
export interface NodeOptions {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  /** Addresses to tell others besides the own ones. */
  readonly announce?: readonly string[]
  /** Without it the node neither listens on QUIC addresses nor dials them. */
  readonly quic?: TransportFactory | undefined
  /** In place of the plain TCP transport. */
  readonly sharingTcp?: TransportFactory | undefined
  /** Whether others may come through that relay; through none by default. */
  readonly acceptsRelay?: (relay: PeerId) => boolean
  readonly features?: NetworkFeatures
  readonly names?: NetworkNames
  readonly clock?: Clock
  readonly limits: NetworkLimits
  readonly peerScore: (peer: string) => number
}

/** Connections that a fleet behind one NAT address may open at us per second, and that may be in the handshake at once. */
const INBOUND_PER_SECOND = 100
const PENDING_INBOUND = 128

/** A connection that died without a word is noticed after this and a few seconds. */
const PING_EVERY = seconds(15)

const muxer = yamux({ maxInboundStreams: MUXED_STREAMS, maxOutboundStreams: 4096, maxEarlyStreams: 1024 })

/** Builds a node that is not started (B §5.1). Every address may be dialled, loopback too. */
export async function createNode(options: NodeOptions): Promise<Node> {
  const { privateKey, listen, announce = [], quic, sharingTcp, acceptsRelay = () => false } = options
  const { features = NO_FEATURES, names = networkNames(), clock = systemClock, limits, peerScore } = options
  const isEverywhere = listen.some((address) => /^\/ip[46]\/(0\.0\.0\.0|::)\//.test(address))
  const present = (known: readonly KnownAddress[]): readonly KnownAddress[] => (isEverywhere ? atCurrentInterfaces(known) : known)
  let book: AddressBook | undefined
  const addressBook: ServiceOptions['addressBook'] = ({ peerId, addressManager, peerStore }) => {
    const changed = (): void => {
      const multiaddrs = created.announced().map(withoutPeer)
      peerStore.patch(peerId, { multiaddrs }).catch(() => undefined) // the store is closed: nobody is told any more
    }
    const created = createAddressBook({
      self: peerId,
      known: () => present(addressManager.getAddressesWithMetadata()),
      changed
    })
    book = created
    return created
  }
  const version = programBuild()?.version ?? 'development'
  let node: Node | undefined
  node = await createLibp2p<NodeServices>({
    start: false,
    privateKey,
    nodeInfo: { name: 'nunet-dms', version, userAgent: `nunet-dms/${version}` },
    datastore: createForeignRecords(foreignQuotas(() => (node === undefined ? [] : [node.peerId, ...node.getPeers()]))),
    addresses: {
      listen: [...listen],
      appendAnnounce: [...announce],
      announceFilter: (addresses) => book?.announced() ?? addresses
    },
    transports: await createTransports({ quic, sharingTcp }),
    connectionEncrypters: createEncrypters(),
    streamMuxers: [limitStreams(muxer, { limit: limits.streams, clock })],
    connectionGater: {
      ...createGate({
        clock,
        limits,
        connections: (peer) => node?.getConnections(peer) ?? [],
        reserved: () => [...(node?.services.relay?.reservations.values() ?? [])].map(({ addr }) => addr)
      }),
      denyInboundRelayedConnection: (relay) => !acceptsRelay(relay)
    },
    connectionManager: {
      maxConnections: limits.connections,
      inboundConnectionThreshold: INBOUND_PER_SECOND,
      maxIncomingPendingConnections: PENDING_INBOUND,
      dialTimeout: limits.dialTimeout,
      addressDialTimeout: seconds(4)
    },
    connectionMonitor: { pingInterval: PING_EVERY },
    services: await createServices({
      addressBook,
      features,
      names,
      rules: advertisementRules(names.advertisements, clock),
      peerScore
    })
  })
  return node
}
