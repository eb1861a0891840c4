import { describe, expect, test } from 'vitest'
import { type Codec, ok } from '../base/index.ts'
import { keyValueStoreCompliance } from '../testing/compliance/index.ts'
import { createMemoryStore } from './memory.ts'
import type { RecordChange } from './records.ts'

const codec: Codec<unknown> = { decode: ok, encode: (value) => value }

describe('the memory store', () => {
  keyValueStoreCompliance({ test, create: () => Promise.resolve(createMemoryStore()) })

  test('applies nothing of a transaction that onWrite refuses, and goes on with the next', async () => {
    const store = createMemoryStore({
      onWrite: (changes) => {
        if (changes.some(({ id }) => id === 'b')) throw new Error('crash')
      }
    })
    await store.start()
    const items = store.collection('items', codec)
    const refused = store.transaction([items.put('a', 1), items.put('b', 2)])
    const accepted = store.transaction([items.put('c', 3)])
    await expect(refused).rejects.toMatchObject({ code: 'DB_WRITE_FAILED', kind: 'unavailable' })
    await accepted
    expect(store.snapshot()).toEqual(new Map([['items', new Map([['c', '3']])]]))
  })

  test('shows onWrite the JSON text of each transaction before it takes effect', async () => {
    const seen: (readonly RecordChange[])[] = []
    const store = createMemoryStore({
      onWrite: async (changes) => {
        await Promise.resolve()
        seen.push(changes)
        expect(store.snapshot().get('items')?.has('a')).not.toBe(true)
      }
    })
    await store.start()
    const items = store.collection('items', codec)
    await store.transaction([items.put('a', { n: 1 }), items.delete('x')])
    expect(seen).toEqual([
      [
        { collection: 'items', id: 'a', value: '{"n":1}' },
        { collection: 'items', id: 'x' }
      ]
    ])
  })

  test('restores what a snapshot held, whatever was written since', async () => {
    const store = createMemoryStore()
    await store.start()
    const items = store.collection('items', codec)
    await store.transaction([items.put('a', 1)])
    const snapshot = store.snapshot()
    await store.transaction([items.put('a', 2), items.put('b', 3)])
    const other = createMemoryStore()
    other.restore(snapshot)
    await other.start()
    expect(await other.collection('items', codec).get('a')).toBe(1)
    expect(await other.collection('items', codec).get('b')).toBeUndefined()
  })
})
