import type { KadDHT } from '@libp2p/kad-dht'
import { millis } from '../base/index.ts'
import type { RoutingEntry } from './types.ts'

/**
 * The peers in the routing tables of a node, each once, in the order of the peer ids.
 *
 * The library's public type tells only how many there are; the contacts are reached on the table itself. Should a later version
 * move them, the table reads as empty and a test of this module fails.
 */
export function routingTableOf(...tables: readonly (KadDHT | undefined)[]): readonly RoutingEntry[] {
  const answers = new Map<string, number>()
  for (const { peerId, lastPing } of tables.flatMap(contactsOf)) {
    const peer = String(peerId)
    answers.set(peer, Math.max(lastPing, answers.get(peer) ?? 0))
  }
  return [...answers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([peer, at]) => ({ peer, ...(at > 0 ? { answeredAt: millis(at) } : {}) }))
}

function contactsOf(dht: KadDHT | undefined): readonly Contact[] {
  return dht !== undefined && hasContacts(dht) ? [...dht.routingTable.kb.toIterable()] : []
}

interface Contact {
  readonly peerId: unknown
  /** Milliseconds of the epoch; 0 when it was never pinged. */
  readonly lastPing: number
}

interface WithContacts {
  readonly routingTable: { readonly kb: { toIterable(): Iterable<Contact> } }
}

function hasContacts(dht: object): dht is WithContacts {
  const buckets: unknown = 'routingTable' in dht ? member(dht.routingTable, 'kb') : undefined
  return typeof member(buckets, 'toIterable') === 'function'
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
