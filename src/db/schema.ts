import type { DatabaseSyncInstance } from '@photostructure/sqlite'
import { invariant, type Logger } from '../base/index.ts'
import { ForeignStoreError, NewerStoreError } from './errors.ts'

/** `NDMS` in ASCII, in the header of the file: tells our stores from other SQLite files. */
const APPLICATION_ID = 0x4e444d53

/** The step from version n to n + 1 at index n. Steps are never changed once released, only added. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE records (
     collection TEXT NOT NULL,
     id TEXT NOT NULL,
     value TEXT NOT NULL,
     PRIMARY KEY (collection, id)
   ) STRICT`
]

/**
 * Reads without writing whether the file is ours or empty.
 *
 * @throws ForeignStoreError when another program made it.
 */
export function refuseForeignFile(database: DatabaseSyncInstance, path: string): void {
  const id = readPragma(database, 'application_id')
  if (id === APPLICATION_ID) return
  const isEmpty = id === 0 && readPragma(database, 'user_version') === 0 && readPragma(database, 'schema_version') === 0
  if (!isEmpty)
    throw new ForeignStoreError(`${path} is a database of another program (application id ${id})`, { details: { path, id } })
}

/**
 * Brings the tables to the newest version, in one transaction.
 *
 * @throws NewerStoreError when a newer version of this program wrote the file.
 */
export function migrate(database: DatabaseSyncInstance, path: string, log: Logger): void {
  database.exec('BEGIN IMMEDIATE')
  const from = readPragma(database, 'user_version')
  const to = MIGRATIONS.length
  if (from > to) {
    database.exec('ROLLBACK')
    throw new NewerStoreError(`${path} has version ${from}, this program knows versions up to ${to}: use a newer one`, {
      details: { from, to }
    })
  }
  for (const step of MIGRATIONS.slice(from)) database.exec(step)
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${to}`)
  database.exec('COMMIT')
  if (from < to) log.info('store migrated', { path, from, to })
}

function readPragma(database: DatabaseSyncInstance, name: 'application_id' | 'user_version' | 'schema_version'): number {
  const row: unknown = database.prepare(`PRAGMA ${name}`).get()
  const value: unknown = typeof row === 'object' && row !== null ? Object.values(row)[0] : undefined
  invariant(typeof value === 'number', `PRAGMA ${name} gave no number`)
  return value
}
