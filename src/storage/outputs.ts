import { createHash } from 'node:crypto'
import { constants, type Dirent } from 'node:fs'
import { mkdir, open, opendir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type AbortOptions,
  type Bytes,
  bytes,
  CancelledError,
  hasErrno,
  isJsonObject,
  isRelativePath,
  type JsonValue
} from '../base/index.ts'
import { fileNameFor, readRecord, removeTree, syncDirectory, writeRecord } from './durable.ts'
import { StorageBadSpecError, StorageNotFoundError, StorageQuotaError } from './errors.ts'
import { requiredText } from './spec.ts'
import type { OutputPublisher } from './volume.ts'

/** The kind of the volume in which a job leaves its outputs. */
export const OUTPUTS = 'outputs'

/** Files of one job that are kept; more are left out. */
const MAX_FILES = 4096
/** Entries looked at: a job may leave links and devices without number. */
const MAX_ENTRIES = 65_536
const MAX_NAME_BYTES = 1024 * 1024
const COPIED_AT_ONCE = 1024 * 1024
const RECORD = 'outputs.json'

/** A file that a job left. */
export interface OutputFile {
  /** Below the job's directory of outputs; safe to use below another directory. */
  readonly path: string
  readonly size: number
  /** In hexadecimal digits. */
  readonly sha256: string
}

/** What a job left. */
export interface CollectedOutputs {
  readonly files: readonly OutputFile[]
  /** What was left out, or went wrong; empty: nothing. */
  readonly error: string
  /** Where they were published; empty: nowhere. */
  readonly published: string
}

/** The outputs of ended jobs, until whoever deployed them has fetched them. */
export interface OutputStore {
  /** Copies what is below `source`, which nothing changes any more. Once it is done, it does nothing again. */
  collect(id: string, source: string, options: AbortOptions): Promise<CollectedOutputs>
  find(id: string): Promise<CollectedOutputs | undefined>
  /** Where a file lies; by its place in the list. */
  pathOf(id: string, index: number): string
  /** Notes where the outputs were published, or why not. */
  note(id: string, outputs: CollectedOutputs): Promise<void>
  /** @throws STORAGE_NOT_FOUND */
  read(id: string, index: number, offset: number, maxBytes: number): Promise<{ readonly data: Uint8Array; readonly size: number }>
  drop(id: string): Promise<void>
  /** Ids of which something is kept; what a crash left without a record is removed. */
  ids(): Promise<readonly string[]>
}

/** What is needed for {@link createOutputStore}. */
export interface OutputStoreOptions {
  /** Absolute. */
  readonly directory: string
  /** What the outputs of one job may have. */
  readonly limit: Bytes
  /** What all outputs may have. */
  readonly total: Bytes
}

/** Creates the store; nothing is touched before a call. */
export function createOutputStore({ directory, limit, total }: OutputStoreOptions): OutputStore {
  const placeOf = (id: string): string => join(directory, fileNameFor(id))
  const pathOf = (id: string, index: number): string => join(placeOf(id), 'files', String(index))

  async function taken(): Promise<number> {
    const all = await Promise.all((await namesIn(directory)).map(async (name) => await readRecord(join(directory, name, RECORD))))
    return all.reduce<number>((sum, record) => sum + sizeOf(toOutputs(record)?.files ?? []), 0)
  }

  async function find(id: string): Promise<CollectedOutputs | undefined> {
    return toOutputs(await readRecord(join(placeOf(id), RECORD)))
  }

  async function note(id: string, outputs: CollectedOutputs): Promise<void> {
    const files = outputs.files.map((file) => ({ ...file }))
    await writeRecord(join(placeOf(id), RECORD), { id, ...outputs, files })
  }

  return {
    find,
    pathOf,
    note,
    async collect(id, source, options) {
      const known = await find(id)
      if (known !== undefined) return known
      await removeTree(join(placeOf(id), 'files'))
      await mkdir(join(placeOf(id), 'files'), { recursive: true, mode: 0o700 })
      const room = Math.min(limit, total - (await taken()))
      const outputs = await copyAll(source, { room, pathOf: (index) => pathOf(id, index) }, options)
      await syncDirectory(join(placeOf(id), 'files'))
      await note(id, outputs)
      return outputs
    },
    async read(id, index, offset, maxBytes) {
      const file = (await find(id))?.files[index]
      if (file === undefined) throw new StorageNotFoundError(`${id} has no output ${index}`)
      const handle = await open(pathOf(id, index), 'r')
      try {
        const data = Buffer.alloc(Math.max(0, Math.min(maxBytes, file.size - offset)))
        const { bytesRead } = await handle.read(data, 0, data.length, offset)
        return { data: data.subarray(0, bytesRead), size: file.size }
      } finally {
        await handle.close()
      }
    },
    drop: (id) => removeTree(placeOf(id)),
    async ids() {
      const ids: string[] = []
      for (const name of await namesIn(directory)) {
        const id = (await readRecord(join(directory, name, RECORD)))?.['id']
        if (typeof id === 'string' && fileNameFor(id) === name) ids.push(id)
      }
      return ids
    }
  }
}

interface CopyTarget {
  readonly room: number
  pathOf(index: number): string
}

async function copyAll(source: string, { room, pathOf }: CopyTarget, { signal }: AbortOptions): Promise<CollectedOutputs> {
  const files: OutputFile[] = []
  let [left, leftOut, names, error] = [room, 0, 0, '']
  for await (const path of walk(source, () => (leftOut += 1))) {
    if (signal?.aborted === true) throw new CancelledError('collecting outputs was cancelled')
    names += Buffer.byteLength(path)
    if (files.length === MAX_FILES || names > MAX_NAME_BYTES) {
      error = `only the first ${files.length} files are kept`
      break
    }
    try {
      const file = await copyOne(join(source, path), pathOf(files.length), left)
      left -= file.size
      files.push({ path, ...file })
    } catch (failure) {
      if (!(failure instanceof StorageQuotaError)) throw failure
      error = `${path}: ${failure.message}`
      break
    }
  }
  const skipped = leftOut === 0 ? '' : `${leftOut} links, devices and names that no other machine could have are left out`
  return { files, error: [error, skipped].filter((text) => text !== '').join('; '), published: '' }
}

/** The regular files below a directory; links are not followed. */
async function* walk(root: string, skip: () => void): AsyncGenerator<string> {
  const pending = ['']
  let seen = 0
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const found: Dirent[] = []
    for await (const entry of await opendir(join(root, at))) {
      seen += 1
      if (seen > MAX_ENTRIES) break
      found.push(entry)
    }
    for (const entry of found.sort((one, other) => (one.name < other.name ? -1 : 1))) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`
      if (!isRelativePath(path) || path.includes('\uFFFD') || !(entry.isFile() || entry.isDirectory())) skip()
      else if (entry.isDirectory()) pending.push(path)
      else yield path
    }
  }
}

async function copyOne(from: string, to: string, room: number): Promise<Omit<OutputFile, 'path'>> {
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const { size } = await source.stat()
    if (size > room) throw new StorageQuotaError(`has ${size} bytes, and ${room} are left for outputs`)
    const target = await open(to, 'w', 0o600)
    try {
      const hash = createHash('sha256')
      const buffer = Buffer.alloc(Math.min(Math.max(size, 1), COPIED_AT_ONCE))
      let copied = 0
      while (copied < size) {
        const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, size - copied), copied)
        if (bytesRead === 0) break
        hash.update(buffer.subarray(0, bytesRead))
        await target.write(buffer, 0, bytesRead, copied)
        copied += bytesRead
      }
      await target.sync()
      return { size: copied, sha256: hash.digest('hex') }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** @throws StorageBadSpecError naming the field. */
export function parsePublish(
  publish: JsonValue,
  outlets: ReadonlyMap<string, OutputPublisher>
): { readonly outlet: OutputPublisher; readonly spec: JsonValue } {
  if (!isJsonObject(publish)) throw new StorageBadSpecError('publish', 'must be a map')
  const { type: _type, ...spec } = publish
  const kind = requiredText({ 'publish.type': publish['type'] ?? null }, 'publish.type')
  const outlet = outlets.get(kind)
  if (outlet === undefined) throw new StorageBadSpecError('publish.type', `must be one of ${[...outlets.keys()].join(', ')}`)
  try {
    outlet.check(spec)
  } catch (error) {
    if (!(error instanceof StorageBadSpecError)) throw error
    throw error.below('publish')
  }
  return { outlet, spec }
}

function sizeOf(files: readonly OutputFile[]): Bytes {
  return bytes(files.reduce((sum, { size }) => sum + size, 0))
}

function toOutputs(record: Readonly<Record<string, JsonValue>> | undefined): CollectedOutputs | undefined {
  const { files, error, published } = record ?? {}
  if (!Array.isArray(files) || typeof error !== 'string' || typeof published !== 'string') return undefined
  return { files: (files as readonly JsonValue[]).flatMap(toFile), error, published }
}

function toFile(value: JsonValue): readonly OutputFile[] {
  const { path, size, sha256 } = isJsonObject(value) ? value : {}
  return typeof path === 'string' && typeof size === 'number' && typeof sha256 === 'string' ? [{ path, size, sha256 }] : []
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw error
  }
}
