import type { KadDHT } from '@libp2p/kad-dht'
import { millis } from '../base/index.ts'
import type { RoutingEntry } from './types.ts'

/**
 * The routing table of a DHT, in the order of the peer ids.
 *
 * The library's public type tells only how many there are; the contacts are reached on the table itself. Should a later version
 * move them, the table reads as empty and a test of this module fails.
 */
export function routingTableOf(dht: KadDHT): readonly RoutingEntry[] {
  if (!hasContacts(dht)) return []
  return [...dht.routingTable.kb.toIterable()]
    .map(({ peerId, lastPing }) => ({ peer: String(peerId), ...(lastPing > 0 ? { answeredAt: millis(lastPing) } : {}) }))
    .sort((a, b) => (a.peer < b.peer ? -1 : 1))
}

interface WithContacts {
  readonly routingTable: { readonly kb: { toIterable(): Iterable<{ readonly peerId: unknown; readonly lastPing: number }> } }
}

function hasContacts(dht: object): dht is WithContacts {
  const buckets: unknown = 'routingTable' in dht ? member(dht.routingTable, 'kb') : undefined
  return typeof member(buckets, 'toIterable') === 'function'
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
