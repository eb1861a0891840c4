import type { Connection, ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { type BudgetSize, type Clock, createBudget } from '../base/index.ts'
import { ipOf, isRelayed, siteOf } from './address-kinds.ts'
import type { NetworkLimits } from './limits.ts'

/** What deciding about connections needs. */
export interface GateOptions {
  readonly clock: Clock
  readonly limits: Pick<NetworkLimits, 'connectionsPerIp'>
  /** Connections that are open now. */
  readonly connections: (peer?: PeerId) => readonly Connection[]
  /** Addresses of the peers that hold a reservation at this relay. */
  readonly reserved: () => readonly Multiaddr[]
}

/** Handshakes with one IP address at the same time: a quarter of all, so that no address can take every place. */
const PENDING_PER_IP = 32

/**
 * Handshakes that are begun, whoever asks: each costs milliseconds of the processor, and everything else waits for those that come at
 * the same moment. Who is refused dials again.
 */
const HANDSHAKES: BudgetSize = { capacity: 24, perSecond: 40 }

/** Nodes behind one IP address that may be reached through this relay. */
const RESERVATIONS_PER_IP = 16

/**
 * Decides which connections are let in. Every address may be dialled, loopback too, but no
 * Unix socket, which the TCP transport would open: addresses come from strangers. One IP address gets only a part of the places:
 * enough for a site behind NAT, not enough to shut out everybody else. Of IPv6 a whole /64 counts as one: it is what one site is given.
 * Loopback is not counted: proxies of this machine come from it.
 */
export function createGate({ clock, limits, connections, reserved }: GateOptions): ConnectionGater {
  const begun = createBudget(clock, HANDSHAKES)
  const pending = new Map<string, number>()

  function count(ip: string, change: number): void {
    const now = (pending.get(ip) ?? 0) + change
    if (now > 0) pending.set(ip, now)
    else pending.delete(ip)
  }

  /** Counts a handshake until it has succeeded or its connection is closed. */
  const handshakes = new WeakMap<MultiaddrConnection, () => void>()
  function begin(connection: MultiaddrConnection, ip: string): void {
    let isPending = true
    const end = (): void => {
      if (isPending) count(ip, -1)
      isPending = false
    }
    count(ip, 1)
    handshakes.set(connection, end)
    connection.addEventListener('close', end, { once: true })
  }

  return {
    denyDialMultiaddr: (address) => address.getComponents().some(({ name }) => name === 'unix'),
    denyInboundConnection(connection) {
      const ip = countedIp(connection.remoteAddr)
      if (ip === undefined) return !begun.take()
      if ((pending.get(ip) ?? 0) >= PENDING_PER_IP) return true
      if (connections().filter(({ remoteAddr }) => countedIp(remoteAddr) === ip).length >= limits.connectionsPerIp) return true
      if (!begun.take()) return true
      begin(connection, ip)
      return false
    },
    denyInboundUpgradedConnection(_peer, connection) {
      handshakes.get(connection)?.()
      return false
    },
    denyInboundRelayReservation(peer) {
      const ips = new Set(connections(peer).flatMap(({ remoteAddr }) => countedIp(remoteAddr) ?? []))
      return [...ips].some((ip) => reserved().filter((address) => countedIp(address) === ip).length >= RESERVATIONS_PER_IP)
    }
  }
}

/** What to count for: the IP address, or the site that it belongs to; none for relayed connections, which the relay counts, and for loopback. */
function countedIp(address: Multiaddr): string | undefined {
  const ip = ipOf(address)
  if (ip === undefined || isRelayed(address) || ip === '::1') return undefined
  const site = siteOf(ip)
  return site.startsWith('127.') ? undefined : site
}
