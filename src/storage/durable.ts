import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { encodeGoJson, hasErrno, isJsonObject, type JsonValue, parseJson } from '../base/index.ts'
import { StorageFailedError } from './errors.ts'
import { mountsAtOrBelow } from './tools.ts'

/** Records of this module are far below; more is damage. */
const MAX_RECORD = 4 * 1024 * 1024

/** A name of a file for any text: 32 hex digits of its SHA-256. What users choose never becomes a path unseen. */
export function fileNameFor(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** Writes a record so that a reader sees the old one or the new one, also after a power cut. One writer per path. */
export async function writeRecord(path: string, record: JsonValue): Promise<void> {
  const directory = dirname(path)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(encodeGoJson(record))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncDirectory(directory)
}

/** The record at `path`; `undefined` when there is none, or what is there is no record. */
export async function readRecord(path: string): Promise<Readonly<Record<string, JsonValue>> | undefined> {
  try {
    if ((await stat(path)).size > MAX_RECORD) return undefined
    const parsed = parseJson(await readFile(path, 'utf8'))
    return parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/**
 * Removes a file or a tree for good; links are removed, not followed.
 *
 * @throws StorageFailedError when something is mounted at or below `path`: what is mounted may be the owner's, and must not go.
 */
export async function removeTree(path: string): Promise<void> {
  const mounted = await mountsAtOrBelow(path)
  if (mounted.length > 0) throw new StorageFailedError(`${path} is not removed: something is mounted at ${mounted.join(', ')}`)
  await rm(path, { recursive: true, force: true })
  await syncDirectory(dirname(path)).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error
  })
}

/** Makes renames and removals in a directory last. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
