import type { MemoryDatastore } from 'datastore-core'
import { expect, test } from 'vitest'
import { createForeignRecords } from './foreign-records.ts'

type Key = Parameters<MemoryDatastore['put']>[0]

/** A key of the library is used as a text only. */
function key(text: string): Key {
  return { toString: () => text } as unknown as Key
}

const NAMES = ['a', 'b'].flatMap((kind) => Array.from({ length: 9 }, (_, index) => `/${kind}/${index + 1}`))

async function names(store: MemoryDatastore): Promise<string[]> {
  const found = await Promise.all(NAMES.map(async (name) => ((await store.has(key(name))) ? [name] : [])))
  return found.flat()
}

test('too many records of a kind push out the oldest of that kind, and no others', async () => {
  const store = createForeignRecords([{ prefix: '/a/', entries: 2, bytes: 1000 }])
  for (const name of ['/b/1', '/a/1', '/a/2', '/b/2', '/a/1', '/a/3', '/b/3']) await store.put(key(name), Uint8Array.of(1))
  expect(await names(store)).toEqual(['/a/1', '/a/3', '/b/1', '/b/2', '/b/3'])
})

test('too many bytes do the same, also by growth of one record', async () => {
  const store = createForeignRecords([{ prefix: '/a/', entries: 100, bytes: 60 }])
  for (const name of ['/a/1', '/a/2', '/a/3']) await store.put(key(name), new Uint8Array(12))
  await store.put(key('/a/3'), new Uint8Array(30))
  expect(await names(store)).toEqual(['/a/2', '/a/3'])
})

test('records that were deleted make room', async () => {
  const store = createForeignRecords([{ prefix: '/a/', entries: 2, bytes: 1000 }])
  for (const name of ['/a/1', '/a/2']) await store.put(key(name), Uint8Array.of(1))
  await store.delete(key('/a/1'))
  await store.put(key('/a/3'), Uint8Array.of(1))
  expect(await names(store)).toEqual(['/a/2', '/a/3'])
})

test('records that are needed stay', async () => {
  const store = createForeignRecords([{ prefix: '/a/', entries: 2, bytes: 1000, kept: () => new Set(['/a/1']) }])
  for (let index = 1; index <= 9; index += 1) await store.put(key(`/a/${index}`), Uint8Array.of(1))
  expect(await names(store)).toEqual(['/a/1', '/a/9'])
})
