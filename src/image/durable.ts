import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorMessage, hasErrno, isJsonObject, type JsonValue, parseJson, type Random, randomHex } from '../base/index.ts'
import { ImageDiskFullError, ImageStoreFailedError } from './errors.ts'

/** Turns an error of the operating system into one of ours; ours pass. */
export function toStoreError(error: unknown, what: string): Error {
  if (!(error instanceof Error) || !('errno' in error)) return error instanceof Error ? error : new Error(String(error))
  const isFull = hasErrno(error, 'ENOSPC') || hasErrno(error, 'EDQUOT')
  const text = `${what}: ${isFull ? 'the disk is full' : errorMessage(error)}`
  return isFull ? new ImageDiskFullError(text, { cause: error }) : new ImageStoreFailedError(text, { cause: error })
}

/** A name that nothing has, in the directory of what is not finished. */
export function temporaryPath(directory: string, random: Random): string {
  return join(directory, randomHex(random, 16))
}

/** Makes what happened to the names in a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Moves a finished file or directory to its place, durably. */
export async function place(temporary: string, path: string): Promise<void> {
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

/** Writes a small document: a reader sees the old one or the new one, never a part. */
export async function writeDocument(path: string, temporary: string, value: JsonValue): Promise<void> {
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(JSON.stringify(value))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await place(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw toStoreError(error, `cannot write ${path}`)
  }
}

/** `undefined` when it is missing or damaged: what it said has to be found out again. */
export async function readDocument(path: string): Promise<{ readonly [name: string]: JsonValue } | undefined> {
  try {
    const parsed = parseJson(await readFile(path, 'utf8'))
    return parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw toStoreError(error, `cannot read ${path}`)
  }
}

/** The names in a directory; none when it is missing. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).sort()
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw toStoreError(error, `cannot list ${directory}`)
  }
}

/** Removes a file or a whole directory so that a crash leaves no half of it at its place. */
export async function discard(path: string, temporary: string): Promise<void> {
  try {
    await rename(path, temporary)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return
    throw toStoreError(error, `cannot remove ${path}`)
  }
  await rm(temporary, { recursive: true, force: true })
}
