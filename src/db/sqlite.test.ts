import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Codec, ok } from '../base/index.ts'
import { keyValueStoreCompliance } from '../testing/compliance/index.ts'
import { openStore } from './sqlite.ts'

const codec: Codec<unknown> = { decode: ok, encode: (value) => value }

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dms-store-'))
  path = join(directory, 'data', 'dms.sqlite')
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

function makeDatabase(file: string, sql: string): void {
  const database = new DatabaseSync(file)
  database.exec(sql)
  database.close()
}

describe('the SQLite store', () => {
  let count = 0
  keyValueStoreCompliance({
    test,
    create: () => {
      count += 1
      return Promise.resolve(openStore({ path: join(directory, `${count}.sqlite`) }))
    }
  })

  test('refuses a file that is no database and leaves it alone', async () => {
    path = join(directory, 'notes.txt')
    const text = 'not a database\n'.repeat(100)
    await writeFile(path, text)
    await expect(openStore({ path }).start()).rejects.toMatchObject({ code: 'DB_FOREIGN_FILE', kind: 'invalid' })
    expect(await readFile(path, 'utf8')).toBe(text)
  })

  test('refuses the database of another program and leaves it alone', async () => {
    path = join(directory, 'other.sqlite')
    makeDatabase(path, 'CREATE TABLE theirs (a)')
    const before = await readFile(path)
    const store = openStore({ path })
    await expect(store.start()).rejects.toMatchObject({ code: 'DB_FOREIGN_FILE' })
    await expect(store.transaction([])).rejects.toMatchObject({ code: 'DB_CLOSED' })
    expect((await readFile(path)).equals(before)).toBe(true)
  })

  test('refuses a store of a newer version', async () => {
    const store = openStore({ path })
    await store.start()
    await store.stop()
    makeDatabase(path, 'PRAGMA user_version = 99')
    await expect(store.start()).rejects.toMatchObject({ code: 'DB_NEWER_SCHEMA', details: { from: 99 } })
  })

  test('refuses a path that is a directory', async () => {
    await expect(openStore({ path: directory }).start()).rejects.toMatchObject({ code: 'DB_FILE_FAILED' })
  })

  test('names the record that is not JSON', async () => {
    const store = openStore({ path })
    await store.start()
    makeDatabase(path, `INSERT INTO records VALUES ('items', 'a', '{"n":')`)
    await expect(store.collection('items', codec).get('a')).rejects.toMatchObject({
      code: 'DB_DAMAGED_RECORD',
      details: { id: 'a' }
    })
    await store.stop()
  })

  test('fails the one transaction that cannot be applied and commits the others of its group', async () => {
    const store = openStore({ path })
    await store.start()
    makeDatabase(path, `CREATE TRIGGER refuse BEFORE INSERT ON records WHEN NEW.id = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END`)
    const items = store.collection('items', codec)
    const outcomes = await Promise.allSettled([
      store.transaction([items.put('a', 1)]),
      store.transaction([items.put('b', 2), items.put('bad', 3)]),
      store.transaction([items.put('c', 4)])
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(outcomes[1]).toMatchObject({ reason: { code: 'DB_WRITE_FAILED', kind: 'unavailable' } })
    expect(await items.get('a')).toBe(1)
    expect(await items.get('b')).toBeUndefined()
    expect(await items.get('c')).toBe(4)
    await store.stop()
  })

  test('fails all transactions of a group when SQLite gives the group up, and works again afterwards', async () => {
    const store = openStore({ path })
    await store.start()
    makeDatabase(
      path,
      `CREATE TRIGGER refuse BEFORE INSERT ON records WHEN NEW.id = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'no'); END`
    )
    const items = store.collection('items', codec)
    const outcomes = await Promise.allSettled([store.transaction([items.put('a', 1)]), store.transaction([items.put('bad', 3)])])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await items.get('a')).toBeUndefined()
    await store.transaction([items.put('a', 1)])
    expect(await items.get('a')).toBe(1)
    await store.stop()
  })

  test('is readable for the owner only, with a write-ahead log and a schema version', async () => {
    const store = openStore({ path })
    await store.start()
    const items = store.collection('items', codec)
    await store.transaction([items.put('a', 1)])
    for (const name of [path, `${path}-wal`, `${path}-shm`]) expect((await stat(name)).mode & 0o777).toBe(0o600)
    await store.stop()
    const database = new DatabaseSync(path)
    expect(database.prepare('PRAGMA journal_mode').get()).toMatchObject({ journal_mode: 'wal' })
    expect(database.prepare('PRAGMA user_version').get()).toMatchObject({ user_version: 1 })
    expect(database.prepare('SELECT * FROM records').all()).toMatchObject([{ collection: 'items', id: 'a', value: '1' }])
    database.close()
  })

  test('starts once however often start is called, and can be started after a failure', async () => {
    await writeFile(join(directory, 'data'), 'in the way')
    const store = openStore({ path })
    await expect(store.start()).rejects.toMatchObject({ code: 'DB_FILE_FAILED' })
    await rm(join(directory, 'data'))
    await Promise.all([store.start(), store.start()])
    await store.stop()
  })

  test('has every acknowledged row after the process was killed', async () => {
    const writer = startWriter()
    const acknowledged = await readUntil(writer, 200)
    writer.kill('SIGKILL')
    await once(writer, 'exit')
    const store = openStore({ path })
    await store.start()
    const found = new Set<string>()
    for await (const [id] of store.collection('rows', codec).list()) found.add(id)
    await store.stop()
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([])
    expect(acknowledged.length).toBeGreaterThanOrEqual(200)
  }, 30_000)

  /** Writes rows four at a time without end, printing the id of each when its transaction has resolved. */
  function startWriter(): ChildProcess {
    const code = `
      const { openStore } = await import(process.argv[1])
      const store = openStore({ path: process.argv[2] })
      await store.start()
      const rows = store.collection('rows', { decode: (value) => ({ ok: true, value }), encode: (value) => value })
      for (let n = 0; ; n += 4) await Promise.all([0, 1, 2, 3].map(async (i) => {
        await store.transaction([rows.put('row-' + (n + i), { n })])
        process.stdout.write('row-' + (n + i) + '\\n')
      }))`
    const module = fileURLToPath(new URL('./sqlite.ts', import.meta.url))
    return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code, module, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'] }
    })
  }

  async function readUntil(writer: ChildProcess, count: number): Promise<readonly string[]> {
    const ids: string[] = []
    if (writer.stdout === null) return ids
    for await (const line of createInterface({ input: writer.stdout })) {
      ids.push(line)
      if (ids.length >= count) break
    }
    return ids
  }
})
