import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { DatabaseSyncInstance } from '@photostructure/sqlite'
import { type Codec, DmsError, errorMessage, invariant, type Logger, silentLogger } from '../base/index.ts'
import { ForeignStoreError, ReadFailedError, StoreClosedError, StoreOpenError, toFileError, WriteFailedError } from './errors.ts'
import { createDirectory } from './files.ts'
import { createChangeBook, createCollection, type RecordChange, type RecordReader, type StoredRecord } from './records.ts'
import { migrate, refuseForeignFile } from './schema.ts'
import type { KeyValueStore } from './store.ts'

/** Where the store is and whom it tells. */
export interface StoreOptions {
  /** The database file; SQLite keeps `<path>-wal` and `<path>-shm` beside it. Missing directories are created 0700. */
  readonly path: string
  readonly log?: Logger
}

/** How many records one page of a list holds: a page of kilobyte records is read in a millisecond or two. */
const PAGE_SIZE = 256

/** How long a write waits for another process that reads the file with a tool; the event loop stands still meanwhile. */
const BUSY_TIMEOUT_MS = 2000

/**
 * The durable store: one SQLite file in WAL mode with full synchronisation, mode 0600 (ADR 0002).
 *
 * The file is opened, and the native module loaded, by `start`. Transactions that are asked for before the event loop
 * comes round share one synchronisation of the disk; each is still all or nothing on its own. A list is read in pages:
 * records written meanwhile may or may not appear, none appears twice.
 *
 * Errors of `start`: `DB_OPEN_FAILED`, `DB_FOREIGN_FILE`, `DB_NEWER_SCHEMA`, `DB_FILE_FORBIDDEN`, `DB_DISK_FULL`.
 */
export function openStore({ path, log = silentLogger }: StoreOptions): KeyValueStore {
  const book = createChangeBook()
  let connection: Connection | undefined
  let starting: Promise<void> | undefined

  function connected(): Connection {
    if (connection === undefined) throw new StoreClosedError(`the store ${path} is not open`)
    return connection
  }

  const reader: RecordReader = {
    read: (collection, id) => connected().read(collection, id),
    page: (collection, from) => connected().page(collection, from)
  }

  return {
    name: 'db/sqlite',
    async start() {
      starting ??= connect(path, log).then((opened) => {
        connection = opened
      })
      try {
        await starting
      } catch (error) {
        starting = undefined
        throw error
      }
    },
    async stop() {
      await starting?.catch(() => undefined) // whoever called start sees why it failed
      const open = connection
      connection = undefined
      starting = undefined
      open?.close()
    },
    collection: <T>(name: string, codec: Codec<T>) => createCollection(name, codec, reader, book),
    async transaction(changes) {
      const open = connected()
      const records = changes.map((change) => book.read(change))
      if (records.length > 0) await open.write(records)
    }
  }
}

interface Connection extends RecordReader {
  write(changes: readonly RecordChange[]): Promise<void>
  /** Commits what waits, then closes. */
  close(): void
}

async function connect(path: string, log: Logger): Promise<Connection> {
  await createPrivately(path)
  const { DatabaseSync } = await import('@photostructure/sqlite')
  let database: DatabaseSyncInstance | undefined
  try {
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    refuseForeignFile(database, path) // before the journal mode, which would change the file
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF')
    migrate(database, path, log)
    return createConnection(database, path)
  } catch (error) {
    database?.close()
    throw toOpenError(error, path)
  }
}

/** SQLite would create the file readable for everybody. */
async function createPrivately(path: string): Promise<void> {
  await createDirectory(dirname(path))
  try {
    const file = await open(path, 'a', 0o600)
    await file.chmod(0o600)
    await file.close()
  } catch (error) {
    throw toFileError(error, `cannot open the store ${path}`)
  }
}

function createConnection(database: DatabaseSyncInstance, path: string): Connection {
  const selectOne = database.prepare('SELECT value FROM records WHERE collection = ? AND id = ?')
  const selectFrom = database.prepare('SELECT id, value FROM records WHERE collection = ? AND id >= ? ORDER BY id LIMIT ?')
  const selectAfter = database.prepare('SELECT id, value FROM records WHERE collection = ? AND id > ? ORDER BY id LIMIT ?')
  const writer = createGroupWriter(database, path)

  function read<T>(query: () => T): T {
    try {
      return query()
    } catch (error) {
      throw new ReadFailedError(`cannot read from the store ${path}: ${errorMessage(error)}`, { cause: error })
    }
  }

  return {
    read: (collection, id) => read(() => toValue(selectOne.get(collection, id))),
    page(collection, { id, after }) {
      const select = after ? selectAfter : selectFrom
      return read(() => select.all(collection, id, PAGE_SIZE).map(toRecord))
    },
    write: (changes) => writer.write(changes),
    close() {
      writer.flush()
      try {
        database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      } catch {
        // everything is durable in the -wal file already; the next start moves it
      }
      database.close()
    }
  }
}

interface WaitingWrite {
  readonly changes: readonly RecordChange[]
  readonly resolve: () => void
  readonly reject: (error: WriteFailedError) => void
}

interface GroupWriter {
  write(changes: readonly RecordChange[]): Promise<void>
  /** Commits what waits, now. */
  flush(): void
}

/** Writes what is asked for until the event loop comes round in one transaction, with one synchronisation of the disk. */
function createGroupWriter(database: DatabaseSyncInstance, path: string): GroupWriter {
  const upsert = database.prepare(
    'INSERT INTO records (collection, id, value) VALUES (?, ?, ?) ON CONFLICT (collection, id) DO UPDATE SET value = excluded.value'
  )
  const remove = database.prepare('DELETE FROM records WHERE collection = ? AND id = ?')
  let waiting: WaitingWrite[] = []
  let timer: NodeJS.Immediate | undefined

  function apply(changes: readonly RecordChange[]): void {
    for (const { collection, id, value } of changes) {
      if (value === undefined) remove.run(collection, id)
      else upsert.run(collection, id, value)
    }
  }

  /** In a savepoint, so that a write that fails leaves the others of its group. */
  function applyAlone({ changes, reject }: WaitingWrite): boolean {
    database.exec('SAVEPOINT write')
    try {
      apply(changes)
      database.exec('RELEASE write')
      return true
    } catch (error) {
      database.exec('ROLLBACK TO write; RELEASE write') // throws when SQLite gave up the whole transaction: all fail
      reject(toWriteError(error, path, changes))
      return false
    }
  }

  function commitGroup(group: readonly WaitingWrite[]): void {
    try {
      database.exec('BEGIN IMMEDIATE')
      const applied = group.filter(applyAlone)
      database.exec('COMMIT')
      for (const { resolve } of applied) resolve()
    } catch (error) {
      rollBack(database)
      for (const { changes, reject } of group) reject(toWriteError(error, path, changes)) // settled ones ignore it
    }
  }

  function flush(): void {
    if (timer !== undefined) clearImmediate(timer)
    timer = undefined
    const group = waiting
    waiting = []
    if (group.length > 0) commitGroup(group)
  }

  return {
    write: (changes) =>
      new Promise((resolve, reject) => {
        waiting.push({ changes, resolve, reject })
        timer ??= setImmediate(flush)
      }),
    flush
  }
}

function rollBack(database: DatabaseSyncInstance): void {
  try {
    if (database.isTransaction) database.exec('ROLLBACK')
  } catch {
    // SQLite had rolled back itself; the error that led here is reported
  }
}

function toValue(row: unknown): string | undefined {
  if (row === undefined) return undefined
  invariant(typeof row === 'object' && row !== null && 'value' in row && typeof row.value === 'string', 'a row has no value')
  return row.value
}

function toRecord(row: unknown): StoredRecord {
  invariant(typeof row === 'object' && row !== null && 'id' in row && typeof row.id === 'string', 'a row has no id')
  invariant('value' in row && typeof row.value === 'string', 'a row has no value')
  return { id: row.id, value: row.value }
}

const SQLITE_NOTADB = 26

function toOpenError(error: unknown, path: string): DmsError {
  if (error instanceof DmsError) return error
  const message = `cannot open the store ${path}: ${errorMessage(error)}`
  const isNoDatabase = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_NOTADB
  return isNoDatabase ? new ForeignStoreError(message, { cause: error }) : new StoreOpenError(message, { cause: error })
}

function toWriteError(cause: unknown, path: string, changes: readonly RecordChange[]): WriteFailedError {
  const count = changes.length
  return new WriteFailedError(`cannot write ${count} changes to the store ${path}: ${errorMessage(cause)}`, {
    cause,
    details: { count }
  })
}
