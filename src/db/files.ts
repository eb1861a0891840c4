import { constants } from 'node:fs'
import { chown, type FileHandle, link, mkdir, open, readdir, realpath, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Clock, hasErrno, mebibytes, randomHex, systemClock, systemRandom } from '../base/index.ts'
import { FileExistsError, FileFailedError, FileRefusedError, toFileError } from './errors.ts'

/** The largest private file that is read: 1 MiB. The largest real ones, capability files with chains, stay below 100 KiB. */
export const MAX_PRIVATE_FILE = mebibytes(1)

/** How {@link writePrivateFile} treats an existing file and which mode the new one gets. */
export interface WriteFileOptions {
  /** Whether an existing file is replaced; default true. */
  readonly overwrite?: boolean
  /** Permission bits, not reduced by the umask; default 0600. */
  readonly mode?: number
}

/**
 * Reads a text file of the user: a key, a capability file, a configuration.
 *
 * @returns The text, or `undefined` when there is no such file.
 * @throws FileRefusedError when it is larger than {@link MAX_PRIVATE_FILE}, not a regular file, or not UTF-8.
 * @throws FileForbiddenError, FileFailedError when the operating system refuses.
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  const data = await readBounded(path)
  if (data === undefined) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch (error) {
    throw new FileRefusedError(`${path} is not UTF-8 text`, { cause: error })
  }
}

/**
 * Writes a whole text file durably: a reader sees the old text or the new one, never a part, also after a power cut.
 *
 * Missing parent directories are created with mode 0700. A symbolic link at `path` is replaced, not followed.
 *
 * @throws FileExistsError when `overwrite` is false and something is at `path`, also when it appeared meanwhile.
 * @throws FileForbiddenError, DiskFullError, FileFailedError when the operating system refuses.
 */
export async function writePrivateFile(path: string, text: string, options: WriteFileOptions = {}): Promise<void> {
  const { overwrite = true, mode = 0o600 } = options
  await createDirectory(dirname(path))
  try {
    await placeFile(path, Buffer.from(text, 'utf8'), { mode, place: overwrite ? rename : link })
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) throw new FileExistsError(`${path} exists already and is not replaced`, { cause: error })
    throw toFileError(error, `cannot write ${path}`)
  }
}

/**
 * Replaces the text of a file that is shared with other users as durably as {@link writePrivateFile}, keeping its mode,
 * owner and group, and following symbolic links (E §2.7). A missing file is created with mode 0600.
 *
 * @throws FileForbiddenError also when the owner or group cannot be kept.
 */
export async function rewriteFile(path: string, text: string): Promise<void> {
  try {
    const target = await realpath(path)
    const { mode, uid, gid } = await stat(target)
    await placeFile(target, Buffer.from(text, 'utf8'), { mode: mode & 0o7777, owner: { uid, gid }, place: rename })
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return await writePrivateFile(path, text)
    throw toFileError(error, `cannot write ${path}`)
  }
}

/** Copies of one file that {@link backupFile} keeps. */
const MAX_BACKUPS = 10

/**
 * Copies a file to `<path>.<unix seconds>`, with `-2`, `-3`… when that name is taken, and keeps the newest ten copies.
 *
 * @returns The path of the copy, or `undefined` when there is nothing to copy.
 */
export async function backupFile(
  path: string,
  { clock = systemClock }: { readonly clock?: Clock } = {}
): Promise<string | undefined> {
  const data = await readBounded(path)
  if (data === undefined) return undefined
  const base = `${path}.${Math.floor(clock.now() / 1000)}`
  try {
    const copy = await placeUnderFreeName(base, data, { mode: 0o600 })
    for (const old of (await backupsOf(path)).slice(MAX_BACKUPS)) await unlink(old)
    return copy
  } catch (error) {
    throw toFileError(error, `cannot keep a copy of ${path}`)
  }
}

/** The copies of a file that {@link backupFile} keeps, newest first. */
export async function listBackups(path: string): Promise<readonly string[]> {
  try {
    return await backupsOf(path)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw toFileError(error, `cannot list the copies of ${path}`)
  }
}

/**
 * Removes a file for good: it does not come back after a power cut.
 *
 * @returns Whether there was one.
 * @throws FileForbiddenError, FileFailedError when the operating system refuses.
 */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path)
    await syncDirectory(dirname(path))
    return true
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false
    throw toFileError(error, `cannot remove ${path}`)
  }
}

/**
 * Copies a file to `copy`, or to `<copy>-2`, `-3`… when that name is taken, with its mode, owner and group, durably.
 *
 * @returns The path of the copy, or `undefined` when there is nothing to copy.
 * @throws FileForbiddenError also when the owner or group cannot be kept.
 */
export async function preserveFile(path: string, copy: string): Promise<string | undefined> {
  const data = await readBounded(path)
  if (data === undefined) return undefined
  try {
    const { mode, uid, gid } = await stat(path)
    return await placeUnderFreeName(copy, data, { mode: mode & 0o7777, owner: { uid, gid } })
  } catch (error) {
    throw toFileError(error, `cannot keep a copy of ${path}`)
  }
}

/**
 * The names of the files in a directory that end in `extension` (with its dot, `.json`), without it, in order.
 *
 * @returns An empty list when the directory is missing.
 */
export async function listFiles(directory: string, extension: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    return entries
      .filter(
        (entry) => (entry.isFile() || entry.isSymbolicLink()) && entry.name.endsWith(extension) && !entry.name.startsWith('.')
      )
      .map((entry) => entry.name.slice(0, entry.name.length - extension.length))
      .filter((name) => name !== '')
      .sort()
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw toFileError(error, `cannot list ${directory}`)
  }
}

/**
 * What changes whenever a file is written, replaced or copied over: two equal stamps mean that nobody touched it in between.
 *
 * @returns `undefined` when there is no such file.
 */
export async function fileStamp(path: string): Promise<string | undefined> {
  try {
    const { mtimeNs, ctimeNs, size, ino } = await stat(path, { bigint: true })
    return `${mtimeNs}:${ctimeNs}:${size}:${ino}`
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return undefined
    throw toFileError(error, `cannot look at ${path}`)
  }
}

/**
 * Removes what a process that was killed while it wrote `path`, or a copy of it, left behind: `.<name>.<hex>.tmp`.
 *
 * Only for who holds the lock of `path` ({@link withFileLock}): then nobody else is writing, and every such file is litter.
 */
export async function removeStaleFiles(path: string): Promise<void> {
  const [directory, prefix] = [dirname(path), `.${basename(path).slice(0, 200)}.`]
  const names = await readdir(directory).catch(() => []) // what cannot be listed holds no litter of ours to remove
  for (const name of names) {
    const isOurs = name.startsWith(prefix) && TEMPORARY.test(name.slice(prefix.length))
    if (isOurs) await unlink(join(directory, name)).catch(() => undefined) // it stays, and costs nothing but its room
  }
}

/** What follows the name of a file in that of a temporary one; copies have their time in between. */
const TEMPORARY = /^(?:\d+(?:-\d+)?\.)?[0-9a-f]{16}\.tmp$/

/** Creates a directory and its missing parents with mode 0700. */
export async function createDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    if (hasErrno(error, 'EEXIST'))
      throw new FileFailedError(`cannot create the directory ${path}: a file has that name`, { cause: error })
    throw toFileError(error, `cannot create the directory ${path}`)
  }
}

async function readBounded(path: string): Promise<Uint8Array | undefined> {
  let file: FileHandle | undefined
  try {
    // without O_NONBLOCK, opening a pipe in place of the file would wait for a writer
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    if (!(await file.stat()).isFile()) throw new FileRefusedError(`${path} is not a regular file`)
    return await readAtMost(file, path, MAX_PRIVATE_FILE)
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return undefined
    throw toFileError(error, `cannot read ${path}`)
  } finally {
    await file?.close()
  }
}

/** Counts what is read instead of trusting the size: the file may grow meanwhile. */
async function readAtMost(file: FileHandle, path: string, limit: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(Math.min((await file.stat()).size, limit) + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length)
    if (bytesRead === 0) return buffer.subarray(0, length)
    length += bytesRead
    if (length === buffer.length) {
      throw new FileRefusedError(`${path} is larger than ${limit} bytes, or grew while it was read`, { details: { limit } })
    }
  }
}

interface Placement {
  readonly mode: number
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** Gives the finished temporary file its name: `rename` replaces what is there, `link` fails with EEXIST. */
  readonly place: (from: string, to: string) => Promise<void>
}

async function placeFile(path: string, data: Uint8Array, { mode, owner, place }: Placement): Promise<void> {
  const directory = dirname(path)
  const temporary = join(directory, `.${basename(path).slice(0, 200)}.${randomHex(systemRandom, 8)}.tmp`)
  try {
    await writeTemporary(temporary, data, mode)
    if (owner !== undefined) await keepOwner(temporary, owner)
    await place(temporary, path)
  } finally {
    await unlink(temporary).catch(() => undefined) // gone after a rename, or never made
  }
  await syncDirectory(directory)
}

async function writeTemporary(path: string, data: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(data)
    if (mode !== 0o600) await file.chmod(mode)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function keepOwner(path: string, { uid, gid }: { readonly uid: number; readonly gid: number }): Promise<void> {
  const own = await stat(path)
  if (own.uid !== uid || own.gid !== gid) await chown(path, uid, gid)
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function placeUnderFreeName(base: string, data: Uint8Array, placement: Omit<Placement, 'place'>): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`
    try {
      await placeFile(name, data, { ...placement, place: link })
      return name
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error
    }
  }
}

/** The copies of `path`, newest first. */
async function backupsOf(path: string): Promise<readonly string[]> {
  const prefix = `${basename(path)}.`
  const names = (await readdir(dirname(path))).filter((name) => name.startsWith(prefix))
  return names
    .flatMap((name) => {
      const match = /^(\d+)(?:-(\d+))?$/.exec(name.slice(prefix.length))
      return match === null ? [] : [{ name, second: Number(match[1]), number: Number(match[2] ?? 1) }]
    })
    .sort((a, b) => b.second - a.second || b.number - a.number)
    .map(({ name }) => join(dirname(path), name))
}
