import { setMaxListeners } from 'node:events'
import { type CircuitRelayService, circuitRelayServer } from '@libp2p/circuit-relay-v2'
import type { GossipSub } from '@libp2p/gossipsub'
import { type Identify, type IdentifyPush, identify, identifyPush } from '@libp2p/identify'
import type { PeerDiscovery } from '@libp2p/interface'
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import type { mdns } from '@libp2p/mdns'
import { type Ping, ping } from '@libp2p/ping'
import type { uPnPNAT } from '@libp2p/upnp-nat'
import type { Libp2pOptions } from 'libp2p'
import { hours } from '../base/index.ts'
import type { AddressBook } from './address-book.ts'
import type { RecordRules } from './advertisements/rules.ts'
import type { NetworkFeatures } from './features.ts'
import { createGossip } from './gossip.ts'
import { CIRCUITS_FROM_PEER, CIRCUITS_TO_PEER, type RelayLimits } from './limits.ts'
import type { NetworkNames } from './names.ts'

/** The services of our libp2p node, by the names under which it holds them. */
export type NodeServices = {
  readonly identify: Identify
  readonly identifyPush: IdentifyPush
  readonly ping: Ping
  readonly pubsub: GossipSub
  readonly dht: KadDHT
  readonly oldDht?: KadDHT
  readonly addressBook: AddressBook
  readonly parts: NodeParts
  readonly relay?: CircuitRelayService
  readonly portMapping?: unknown
  readonly localDiscovery?: PeerDiscovery
}

/** What the library gives a service out of its node. */
type Components = Parameters<NonNullable<Libp2pOptions['transports']>[number]>[0]

/** Inner parts of a node, which the library shows only to services. */
export type NodeParts = Pick<
  Components,
  'addressManager' | 'connectionManager' | 'transportManager' | 'registrar' | 'upgrader' | 'events'
>

/** What the services need. */
export interface ServiceOptions {
  readonly addressBook: (components: Components) => AddressBook
  readonly features: NetworkFeatures
  readonly names: NetworkNames
  readonly rules: RecordRules
  readonly peerScore: (peer: string) => number
}

/** The services of a node (B §5.1, §5.2, §5.4). */
export async function createServices({
  addressBook,
  features,
  names,
  rules,
  peerScore
}: ServiceOptions): Promise<NonNullable<Libp2pOptions<NodeServices>['services']>> {
  const { relayService, relayLimits, portMapping, localDiscovery } = features
  const [hashTable, oldHashTable] = names.hashTables
  return {
    identify: identify({ runOnLimitedConnection: true }),
    identifyPush: identifyPush({ runOnLimitedConnection: true }),
    ping: ping({ maxInboundStreams: 8, maxOutboundStreams: 64 }),
    dht: createDht('own', hashTable, rules),
    ...(oldHashTable === undefined ? {} : { oldDht: createDht('old', oldHashTable, rules) }),
    pubsub: createGossip(peerScore),
    addressBook,
    parts: ({ addressManager, connectionManager, transportManager, registrar, upgrader, events }) => ({
      ...{ addressManager, connectionManager, transportManager, registrar, upgrader, events }
    }),
    ...(relayService ? { relay: createRelayService(relayLimits) } : {}),
    ...(portMapping ? { portMapping: await loadPortMapping() } : {}),
    ...(localDiscovery ? { localDiscovery: await loadLocalDiscovery() } : {})
  }
}

/**
 * A distributed hash table that serves from the start, as a Go node in auto-server mode does, and keeps private addresses: nodes of
 * one site must find each other.
 */
function createDht(name: string, protocol: string, { validators, selectors }: RecordRules): ReturnType<typeof kadDHT> {
  return kadDHT({
    protocol,
    logPrefix: `libp2p:kad-dht:${name}`,
    datastorePrefix: `/dht-${name}`,
    metricsPrefix: `libp2p_kad_dht_${name}`,
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    allowQueryWithZeroPeers: true,
    validators,
    selectors
  })
}

function createRelayService({ reservations, duration, data }: RelayLimits): ReturnType<typeof circuitRelayServer> {
  const create = circuitRelayServer({
    maxInboundHopStreams: CIRCUITS_FROM_PEER,
    maxOutboundStopStreams: CIRCUITS_TO_PEER,
    reservations: {
      maxReservations: reservations,
      reservationTtl: hours(1),
      defaultDurationLimit: duration,
      defaultDataLimit: BigInt(data)
    }
  })
  return (components) => {
    const service = create(components)
    const { reservations: held } = service
    const set = held.set.bind(held)
    held.set = (peer, reservation) => {
      setMaxListeners(0, reservation.signal) // every circuit to the peer hears it, up to CIRCUITS_TO_PEER
      return set(peer, reservation)
    }
    return service
  }
}

/** Asks routers for a public port. Addresses that they tell are announced until others say that they do not work. */
async function loadPortMapping(): Promise<ReturnType<typeof uPnPNAT>> {
  const library = await import('@libp2p/upnp-nat')
  return library.uPnPNAT({ portMappingDescription: 'NuNet DMS', autoConfirmAddress: true })
}

async function loadLocalDiscovery(): Promise<ReturnType<typeof mdns>> {
  const library = await import('@libp2p/mdns')
  return library.mdns()
}
