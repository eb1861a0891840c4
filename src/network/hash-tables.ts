import type { AbortOptions } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import type { RecordTables } from './advertisements/board.ts'
import type { HashTables } from './discovery.ts'
import type { Node } from './libp2p-node.ts'

/** All hash tables of a node as one: everything is said in each and asked of each. */
export function hashTablesOf(node: Node): HashTables & RecordTables {
  const { dht, oldDht } = node.services
  return {
    provide: (cid, options) => node.contentRouting.provide(cid, options),
    cancelReprovide: (cid) => node.contentRouting.cancelReprovide(cid),
    findProviders: (cid, options) => node.contentRouting.findProviders(cid, options),
    getClosestPeers: (key, options) => node.peerRouting.getClosestPeers(key, options),
    put: (key, value, options) => node.contentRouting.put(key, value, options),
    async *get(key, options) {
      for (const table of [dht, ...(oldDht === undefined ? [] : [oldDht])]) yield* answers(table, key, options)
    }
  }
}

/**
 * The records in the answers of peers. The library's own choice comes after it has corrected all peers that had another one, and fails
 * with the first that will not be corrected.
 */
async function* answers(table: KadDHT, key: Uint8Array, options: AbortOptions): AsyncIterable<Uint8Array> {
  for await (const event of table.get(key, options)) {
    if (event.name === 'VALUE') yield event.value
    else if (event.name === 'PEER_RESPONSE' && event.record !== undefined) yield event.record.value
  }
}
