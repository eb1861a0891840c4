import assert from 'node:assert/strict'
import { type Codec, err, ok } from '../../base/index.ts'
import type { Collection, KeyValueStore } from '../../db/index.ts'

/** What the suite needs of a test runner and of the driver. */
export interface KeyValueStoreComplianceOptions {
  /** Registers a test: `test` of Vitest or of `node:test`. */
  readonly test: (name: string, run: () => Promise<void>) => void
  /** A new, empty store that is not started; the suite starts and stops it. */
  readonly create: () => Promise<KeyValueStore>
}

interface Item {
  readonly count: number
}

const itemCodec: Codec<Item> = {
  decode(wire) {
    const isItem = typeof wire === 'object' && wire !== null && 'count' in wire && typeof wire.count === 'number'
    return isItem ? ok({ count: Number(wire.count) }) : err([{ path: 'count', message: 'must be a number' }])
  },
  encode: ({ count }) => ({ count })
}

const anyCodec: Codec<unknown> = { decode: ok, encode: (value) => value }

/** What every {@link KeyValueStore} must do; drivers call it from their tests. */
export function keyValueStoreCompliance({ test, create }: KeyValueStoreComplianceOptions): void {
  async function withStore(work: (store: KeyValueStore, items: Collection<Item>) => Promise<void>): Promise<void> {
    const store = await create()
    await store.start()
    try {
      await work(store, store.collection('items', itemCodec))
    } finally {
      await store.stop()
    }
  }

  test('refuses everything before start and after stop', async () => {
    const store = await create()
    const items = store.collection('items', itemCodec)
    const refusal = { code: 'DB_CLOSED' }
    await assert.rejects(items.get('a'), refusal)
    await assert.rejects(store.transaction([items.put('a', { count: 1 })]), refusal)
    await store.start()
    await store.stop()
    await store.stop()
    await assert.rejects(items.get('a'), refusal)
    await assert.rejects(collect(items.list()), refusal)
    await assert.rejects(store.transaction([items.put('a', { count: 1 })]), refusal)
  })

  test('refuses ids that are empty, too long or not text', () =>
    withStore(async (_store, items) => {
      for (const id of ['', 'x'.repeat(513), '\ud800', 'a\0b']) {
        await assert.rejects(items.get(id), { code: 'DB_INVALID_RECORD', kind: 'invalid' })
        assert.throws(() => items.put(id, { count: 1 }), { code: 'DB_INVALID_RECORD' })
        assert.throws(() => items.delete(id), { code: 'DB_INVALID_RECORD' })
      }
    }))

  test('refuses a value over the limit', () =>
    withStore(async (store) => {
      const texts = store.collection('texts', anyCodec)
      assert.throws(() => texts.put('large', 'x'.repeat(8 * 2 ** 20)), { code: 'DB_INVALID_RECORD' })
      await Promise.resolve()
    }))

  test('refuses collection names that do not match', () =>
    withStore(async (store) => {
      for (const name of ['', 'Items', '1items', 'a/b', 'a b']) {
        assert.throws(() => store.collection(name, itemCodec), { code: 'BASE_INVARIANT' })
      }
      await Promise.resolve()
    }))

  test('refuses a change that another store described', () =>
    withStore(async (store) => {
      const other = await create()
      const change = other.collection('items', itemCodec).put('a', { count: 1 })
      await assert.rejects(store.transaction([change]), { code: 'BASE_INVARIANT' })
    }))

  test('names collection and id of a record that does not decode', () =>
    withStore(async (store, items) => {
      const raw = store.collection('items', anyCodec)
      await store.transaction([raw.put('bad', { count: 'two' }), items.put('good', { count: 1 })])
      const refusal = { code: 'DB_DAMAGED_RECORD', details: { collection: 'items', id: 'bad' } }
      await assert.rejects(items.get('bad'), refusal)
      await assert.rejects(items.get('bad'), /"bad" in items is damaged: count: must be a number/)
      await assert.rejects(collect(items.list()), refusal)
      assert.deepEqual(await items.get('good'), { count: 1 })
    }))

  test('does nothing until the transaction', () =>
    withStore(async (store, items) => {
      const change = items.put('a', { count: 1 })
      assert.equal(await items.get('a'), undefined)
      await store.transaction([change])
      assert.deepEqual(await items.get('a'), { count: 1 })
      await store.transaction([])
      await store.transaction([items.delete('a'), items.delete('never-there')])
      assert.equal(await items.get('a'), undefined)
    }))

  test('applies the changes of a transaction in order', () =>
    withStore(async (store, items) => {
      await store.transaction([
        items.put('a', { count: 1 }),
        items.delete('a'),
        items.put('a', { count: 2 }),
        items.put('a', { count: 3 })
      ])
      assert.deepEqual(await items.get('a'), { count: 3 })
    }))

  test('applies concurrent transactions in the order in which they were asked for', () =>
    withStore(async (store, items) => {
      await Promise.all(
        Array.from({ length: 50 }, (_, count) =>
          store.transaction([items.put('a', { count }), items.put(`n${count}`, { count })])
        )
      )
      assert.deepEqual(await items.get('a'), { count: 49 })
      assert.equal((await collect(items.list({ prefix: 'n' }))).length, 50)
    }))

  test('keeps the value of the moment in which it was described', () =>
    withStore(async (store) => {
      const raw = store.collection('raw', anyCodec)
      const value = { list: [1] }
      const change = raw.put('a', value)
      value.list.push(2)
      await store.transaction([change])
      assert.deepEqual(await raw.get('a'), { list: [1] })
    }))

  test('gives back every JSON value and never the same object twice', () =>
    withStore(async (store) => {
      const raw = store.collection('raw', anyCodec)
      for (const value of [null, true, 0, -1.5, 1e300, '', 'é😀\u2028\0', [], {}, { a: [{ b: null }] }, 'x'.repeat(100_000)]) {
        await store.transaction([raw.put('a', value)])
        assert.deepEqual(await raw.get('a'), value)
      }
      await store.transaction([raw.put('a', { b: 1 })])
      assert.notEqual(await raw.get('a'), await raw.get('a'))
    }))

  test('keeps collections apart', () =>
    withStore(async (store, items) => {
      const others = store.collection('others', itemCodec)
      await store.transaction([items.put('a', { count: 1 }), others.put('a', { count: 2 })])
      await store.transaction([others.delete('a')])
      assert.deepEqual(await items.get('a'), { count: 1 })
      assert.deepEqual(await collect(others.list()), [])
      assert.deepEqual(await store.collection('items', itemCodec).get('a'), { count: 1 })
    }))

  test('lists in order of code points, by prefix', () =>
    withStore(async (store, items) => {
      const ids = ['a', 'a/', 'a/1', 'a/10', 'a/2', 'a0', 'b', 'é', '\uffee', '😀']
      await store.transaction([...ids].reverse().map((id) => items.put(id, { count: id.length })))
      assert.deepEqual(await listIds(items), ids)
      assert.deepEqual(await listIds(items, 'a/'), ['a/', 'a/1', 'a/10', 'a/2'])
      assert.deepEqual(await listIds(items, 'c'), [])
      assert.deepEqual(await listIds(items, '😀'), ['😀'])
      assert.deepEqual(await listIds(items, '%'), [])
    }))

  test('lists more than a page, each record once, also when records change meanwhile', () =>
    withStore(async (store, items) => {
      const ids = Array.from({ length: 1000 }, (_, index) => `id-${String(index).padStart(4, '0')}`)
      await store.transaction(ids.map((id, count) => items.put(id, { count })))
      assert.deepEqual(await listIds(items), ids)
      const seen: string[] = []
      for await (const [id] of items.list()) {
        if (seen.length === 300) await store.transaction([items.delete('id-0900'), items.put('id-0001', { count: -1 })])
        seen.push(id)
      }
      assert.deepEqual(
        seen,
        ids.filter((id) => id !== 'id-0900')
      )
    }))

  test('stops listing when its signal is aborted', () =>
    withStore(async (store, items) => {
      await store.transaction([items.put('a', { count: 1 })])
      await assert.rejects(collect(items.list({ signal: AbortSignal.abort() })), { kind: 'cancelled' })
    }))

  test('has after stop and start what was written, also when stop came before the write was done', async () => {
    const store = await create()
    const items = store.collection('items', itemCodec)
    await store.start()
    await store.transaction([items.put('a', { count: 1 })])
    const write = store.transaction([items.put('b', { count: 2 })])
    await store.stop()
    await write
    await store.start()
    assert.deepEqual(await listIds(items), ['a', 'b'])
    await store.stop()
  })
}

async function collect<T>(list: AsyncIterable<readonly [string, T]>): Promise<readonly (readonly [string, T])[]> {
  const records: (readonly [string, T])[] = []
  for await (const record of list) records.push(record)
  return records
}

async function listIds(items: Collection<Item>, prefix = ''): Promise<readonly string[]> {
  return (await collect(items.list({ prefix }))).map(([id]) => id)
}
