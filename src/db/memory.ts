import { type Codec, createSerialQueue } from '../base/index.ts'
import { StoreClosedError, WriteFailedError } from './errors.ts'
import { createChangeBook, createCollection, type RecordChange, type RecordReader } from './records.ts'
import type { KeyValueStore } from './store.ts'

/** Everything that a memory store has committed: JSON text by collection and id. Never changes. */
export type StoreSnapshot = ReadonlyMap<string, ReadonlyMap<string, string>>

/** A store for tests and the simulator, with a view of what a crash would leave. */
export interface MemoryStore extends KeyValueStore {
  /** What has been committed so far. */
  snapshot(): StoreSnapshot
  /** Replaces everything, as if the machine had been started with that disk. */
  restore(snapshot: StoreSnapshot): void
}

/** Options of {@link createMemoryStore}. */
export interface MemoryStoreOptions {
  /**
   * Called with the changes of each transaction before any of them takes effect, one transaction at a time: to record
   * writes, to slow them down, or to refuse them by throwing (then `transaction` rejects with `DB_WRITE_FAILED`).
   */
  readonly onWrite?: (changes: readonly RecordChange[]) => void | Promise<void>
}

/** How many records one page of a list holds. */
const PAGE_SIZE = 256

/** Creates a store that keeps the encoded JSON text in memory; its content survives `stop` and `start`, like a disk. */
export function createMemoryStore({ onWrite }: MemoryStoreOptions = {}): MemoryStore {
  const book = createChangeBook()
  const queue = createSerialQueue()
  let isOpen = false
  let committed: StoreSnapshot = new Map()

  function assertOpen(): void {
    if (!isOpen) throw new StoreClosedError('the memory store is not open')
  }

  const reader: RecordReader = {
    read(collection, id) {
      assertOpen()
      return committed.get(collection)?.get(id)
    },
    page(collection, { id: from, after }) {
      assertOpen()
      return [...(committed.get(collection) ?? [])]
        .map(([id, value]) => ({ id, value, order: compareIds(id, from) }))
        .filter(({ order }) => (after ? order > 0 : order >= 0))
        .sort((a, b) => compareIds(a.id, b.id))
        .slice(0, PAGE_SIZE)
    }
  }

  async function commit(changes: readonly RecordChange[]): Promise<void> {
    try {
      await onWrite?.(changes)
    } catch (error) {
      throw new WriteFailedError(`${changes.length} changes were not written`, { cause: error })
    }
    committed = applyChanges(committed, changes)
  }

  return {
    name: 'db/memory',
    start() {
      isOpen = true
      return Promise.resolve()
    },
    async stop() {
      await queue.idle()
      isOpen = false
    },
    collection: <T>(name: string, codec: Codec<T>) => createCollection(name, codec, reader, book),
    async transaction(changes) {
      assertOpen()
      const records = changes.map((change) => book.read(change))
      if (records.length > 0) await queue.run(() => commit(records))
    },
    snapshot: () => committed,
    restore(snapshot) {
      committed = snapshot
    }
  }
}

function applyChanges(before: StoreSnapshot, changes: readonly RecordChange[]): StoreSnapshot {
  const copies = new Map<string, Map<string, string>>()
  for (const { collection, id, value } of changes) {
    const copy = copies.get(collection) ?? new Map(before.get(collection))
    if (value === undefined) copy.delete(id)
    else copy.set(id, value)
    copies.set(collection, copy)
  }
  return new Map([...before, ...copies])
}

/** By code point, like SQLite; JavaScript's own order of strings differs beyond U+D800. */
function compareIds(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'))
}
