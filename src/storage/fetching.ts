import { lstat, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { bytes, CancelledError, type Clock, hasErrno, isJsonObject, type JsonValue, withTimeout } from '../base/index.ts'
import { readRecord, removeTree, syncDirectory, writeRecord } from './durable.ts'
import type { TransferRules } from './endpoint.ts'
import { StorageChecksumError, StorageNotPermittedError, StorageQuotaError } from './errors.ts'
import { checkDisjoint, toRelativePath } from './object-path.ts'
import { receiveFile } from './receive-file.ts'
import type { RemoteFile, RemoteSource } from './remote.ts'
import { createTurns } from './turns.ts'
import type { PreparedVolume, VolumeOptions, VolumePlace, VolumeProbe, VolumeProvider, VolumeRequest } from './volume.ts'

/** What makes a {@link VolumeProvider} out of a {@link RemoteSource}. */
export interface FetchingOptions {
  readonly kind: string
  readonly clock: Clock
  readonly rules: Pick<TransferRules, 'timeLimit'>
  probe(): Promise<VolumeProbe>
  /** Throws `STORAGE_BAD_SPEC`. */
  check(spec: JsonValue): void
  /** The files of a checked description. @throws STORAGE_NOT_PERMITTED */
  open(spec: JsonValue): Promise<RemoteSource>
}

/** Files in one volume at most, and bytes of their names. */
export const MAX_FILES = 4096
const MAX_NAME_BYTES = 1024 * 1024
/** What a file takes on the disk at least. */
const BLOCK = 4096
/** Bytes between two words on how far it is. */
const PROGRESS_STEP = 4 * 1024 * 1024

const PLAN = 'fetch.json'
const INCOMING = 'incoming'
const DATA = 'data'

/**
 * Fetches files of a service for one allocation, which can read them and no more: what a job writes belongs into its outputs or a
 * named volume, where it is bounded.
 *
 * What is to be fetched is written down first, so that a fetch that was cut off goes on with the same versions. A file is at its
 * place only once it is whole and verified.
 */
export function createFetchingProvider(options: FetchingOptions): VolumeProvider {
  const inTurn = createTurns()
  return {
    kind: options.kind,
    probe: options.probe,
    check: options.check,
    async prepare(request, more = {}) {
      options.check(request.spec)
      if (more.signal?.aborted === true) throw new CancelledError('the preparation of a volume was cancelled')
      return await inTurn(request.id, () => prepare(options, request, more))
    },
    release: ({ id, directory }) => inTurn(id, () => forget(directory)),
    list: () => Promise.resolve([]),
    remove: () => Promise.resolve(false)
  }
}

async function prepare(options: FetchingOptions, request: VolumeRequest, more: VolumeOptions): Promise<PreparedVolume> {
  const source = join(request.directory, DATA)
  const known = await readPlan(request)
  if (known?.isReady === true) return { source, isReadOnly: true, size: bytes(sizeOf(known.files)) }
  const { clock, rules, kind } = options
  const work = (signal: AbortSignal): Promise<number> => fetchAll(options, request, known?.files, { ...more, signal })
  const size = await withTimeout(clock, rules.timeLimit, `fetching a volume of type ${kind}`, work, more)
  return { source, isReadOnly: true, size: bytes(size) }
}

async function fetchAll(
  options: FetchingOptions,
  request: VolumeRequest,
  known: readonly RemoteFile[] | undefined,
  more: VolumeOptions & { readonly signal: AbortSignal }
): Promise<number> {
  const { directory, limit, spec } = request
  const source = await options.open(spec)
  try {
    const files = known ?? (await source.list(more))
    checkFiles(files, limit)
    if (known === undefined) await writePlan(request, { isReady: false, files })
    for (const name of [INCOMING, DATA]) await mkdir(join(directory, name), { recursive: true, mode: 0o755 })
    const fetched: RemoteFile[] = []
    const tell = createTeller(files, more)
    for (const [index, file] of files.entries()) {
      const room = limit - sizeOf(fetched)
      fetched.push({ ...file, size: await fetchOne({ source, file, index, room, tell, clock: options.clock }, directory, more) })
    }
    await writePlan(request, { isReady: true, files: fetched })
    await removeTree(join(directory, INCOMING))
    return sizeOf(fetched)
  } catch (error) {
    // another version, or not what was asked for: the next try begins anew
    if (error instanceof StorageChecksumError || error instanceof StorageQuotaError) await forget(directory)
    throw error
  } finally {
    source.close()
  }
}

interface OneFile {
  readonly source: RemoteSource
  readonly file: RemoteFile
  readonly index: number
  readonly room: number
  readonly clock: Clock
  tell(count: number): void
}

async function fetchOne(
  { source, file, index, room, clock, tell }: OneFile,
  directory: string,
  { signal }: { readonly signal: AbortSignal }
): Promise<number> {
  const path = join(directory, DATA, file.path)
  const there = await lstat(path).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error
  })
  if (there !== undefined) {
    tell(there.size)
    return there.size
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  const part = join(directory, INCOMING, String(index))
  const size = await receiveFile({ source, file, path, part, room, clock, signal, onBytes: tell })
  await syncDirectory(dirname(path))
  return size
}

/** @throws StorageQuotaError for too much, StorageNotPermittedError for names that no files can have. */
function checkFiles(files: readonly RemoteFile[], limit: number): void {
  if (files.length > MAX_FILES) throw new StorageQuotaError(`there are more than ${MAX_FILES} files`)
  const names = files.reduce((total, { path, name }) => total + Buffer.byteLength(path) + Buffer.byteLength(name), 0)
  if (names > MAX_NAME_BYTES)
    throw new StorageQuotaError(`the names of ${files.length} files are longer than ${MAX_NAME_BYTES} bytes`)
  for (const { path } of files) toRelativePath(path)
  checkDisjoint(files.map(({ path }) => path))
  const size = sizeOf(files)
  if (size > limit) throw new StorageQuotaError(`${size} bytes are to be fetched, the job has ${limit} bytes left of its disk`)
}

function sizeOf(files: readonly RemoteFile[]): number {
  return files.reduce((total, { size = 0 }) => total + Math.max(size, BLOCK), 0)
}

function createTeller(files: readonly RemoteFile[], { onProgress }: VolumeOptions): (count: number) => void {
  const sizes = files.map(({ size }) => size)
  const total = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
  const known = sizes.includes(undefined) ? {} : { total: bytes(total) }
  let [done, told] = [0, 0]
  return (count) => {
    done += count
    if (onProgress === undefined || (Math.abs(done - told) < PROGRESS_STEP && done !== total)) return
    told = done
    onProgress({ step: 'fetch', done: bytes(done), ...known })
  }
}

interface Plan {
  readonly isReady: boolean
  readonly files: readonly RemoteFile[]
}

async function writePlan({ directory }: VolumePlace, { isReady, files }: Plan): Promise<void> {
  await writeRecord(join(directory, PLAN), { isReady, files: files.map(toRecord) })
}

function toRecord({ path, name, size, version, checksum }: RemoteFile): JsonValue {
  return {
    ...{ path, name, version },
    ...(size === undefined ? {} : { size }),
    ...(checksum === undefined ? {} : { checksum: { ...checksum } })
  }
}

async function readPlan({ directory }: VolumePlace): Promise<Plan | undefined> {
  const record = await readRecord(join(directory, PLAN))
  const { isReady, files } = record ?? {}
  if (typeof isReady !== 'boolean' || !Array.isArray(files)) return undefined
  return { isReady, files: (files as readonly JsonValue[]).map(toFile) }
}

function toFile(value: JsonValue): RemoteFile {
  const { path, name, size, version, checksum } = isJsonObject(value) ? value : {}
  if (typeof path !== 'string' || typeof name !== 'string' || typeof version !== 'string') {
    throw new StorageNotPermittedError('the record of a fetch is damaged')
  }
  const { algorithm, hex } = checksum !== undefined && isJsonObject(checksum) ? checksum : {}
  return {
    ...{ path, name, version },
    ...(typeof size === 'number' ? { size } : {}),
    ...((algorithm === 'sha256' || algorithm === 'md5') && typeof hex === 'string' ? { checksum: { algorithm, hex } } : {})
  }
}

async function forget(directory: string): Promise<void> {
  for (const name of [PLAN, `${PLAN}.tmp`, INCOMING, DATA]) await removeTree(join(directory, name))
}
