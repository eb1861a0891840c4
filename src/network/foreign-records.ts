import type { PeerId } from '@libp2p/interface'
import { MemoryDatastore } from 'datastore-core'
import { mebibytes } from '../base/index.ts'

/** What one kind of records may take. */
export interface RecordQuota {
  /** How their keys begin. */
  readonly prefix: string
  readonly entries: number
  readonly bytes: number
  /** Keys of records that stay whatever comes. */
  readonly kept?: () => ReadonlySet<string>
}

/**
 * Memory for what the library keeps of other nodes: records of the hash tables and facts about peers. It keeps whatever it is given, for
 * a day or more, so that anybody could fill it; here the oldest of a kind goes when there is too much of that kind.
 */
export function createForeignRecords(quotas: readonly RecordQuota[]): MemoryDatastore {
  const store = new MemoryDatastore()
  const shelves = quotas.map((quota) => ({ ...quota, held: new Map<string, Held>(), total: 0 }))
  const [put, remove] = [store.put.bind(store), store.delete.bind(store)]

  function forget(shelf: Shelf, key: string): void {
    shelf.total -= shelf.held.get(key)?.size ?? 0
    shelf.held.delete(key)
  }

  store.put = (key, value, options) => {
    const name = key.toString()
    const stored = put(key, value, options)
    const shelf = shelves.find(({ prefix }) => name.startsWith(prefix))
    if (shelf === undefined) return stored
    forget(shelf, name)
    const size = name.length + value.length
    shelf.held.set(name, { key, size }) // the newest is last
    shelf.total += size
    for (const old of surplus(shelf, name)) {
      forget(shelf, old.toString())
      void remove(old) // a memory store is done at once
    }
    return stored
  }
  store.delete = (key, options) => {
    for (const shelf of shelves) forget(shelf, key.toString())
    return remove(key, options)
  }
  return store
}

type Key = Parameters<MemoryDatastore['put']>[0]

interface Held {
  readonly key: Key
  readonly size: number
}

interface Shelf extends RecordQuota {
  readonly held: Map<string, Held>
  total: number
}

/** The oldest records that must go, never the one that came last. */
function surplus({ held, total, entries, bytes, kept }: Shelf, newest: string): readonly Key[] {
  if (held.size <= entries && total <= bytes) return []
  const staying = kept?.() ?? new Set()
  let [count, size] = [held.size, total]
  const gone: Key[] = []
  for (const [name, own] of held) {
    if (count <= entries && size <= bytes) break
    if (name === newest || staying.has(name)) continue
    gone.push(own.key)
    count -= 1
    size -= own.size
  }
  return gone
}

/**
 * The quotas of a node: as much as a large network needs, and no more than a small machine has.
 *
 * @param connected - Peers whose facts are needed now, this node among them.
 */
export function foreignQuotas(connected: () => readonly PeerId[]): readonly RecordQuota[] {
  const kept = (): ReadonlySet<string> => new Set(connected().map((peer) => `/peers/${peer.toCID().toString()}`))
  return [
    { prefix: '/peers/', entries: 4096, bytes: mebibytes(16), kept },
    { prefix: '/dht-own/', entries: 4096, bytes: mebibytes(8) },
    { prefix: '/dht-old/', entries: 4096, bytes: mebibytes(8) }
  ]
}
