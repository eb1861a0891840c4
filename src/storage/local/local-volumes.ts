import { chmod, mkdir, rmdir, stat } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import {
  type Bytes,
  bytes,
  CancelledError,
  createSerialQueue,
  errorMessage,
  hasErrno,
  type JsonValue,
  type Logger,
  type SerialQueue
} from '../../base/index.ts'
import { readRecord, removeTree, writeRecord } from '../durable.ts'
import { StorageBadSpecError, StorageFailedError, StorageInUseError, StorageQuotaError } from '../errors.ts'
import { optionalSize, requiredText, volumeFields } from '../spec.ts'
import { unmount } from '../tools.ts'
import type {
  PreparedVolume,
  StoredVolume,
  StoredVolumeName,
  VolumeOptions,
  VolumePlace,
  VolumeProvider,
  VolumeRequest
} from '../volume.ts'
import { type AllowedPath, pinDirectory, resolveHostPath } from './host-path.ts'
import { canMakeImages, createImage, dropImage, mountImage, SMALLEST_IMAGE } from './image.ts'
import { createVolumeStore, measure, type VolumeRecord, type VolumeStore } from './store.ts'

/** What is needed for local volumes. */
export interface LocalVolumesOptions {
  /** Where named volumes are kept; absolute. */
  readonly directory: string
  /** Directories of the machine that jobs may mount; none by default. */
  readonly hostPaths: readonly AllowedPath[]
  /** Directories of the daemon, never given away whatever `hostPaths` says. */
  readonly hidden: readonly string[]
  readonly quotas: LocalQuotas
  /** `measured` makes plain directories also where file systems of their own are possible. */
  readonly enforcement?: 'auto' | 'measured'
  readonly log: Logger
}

/** How much named volumes may take; sizes count as promised, not as used. */
export interface LocalQuotas {
  /** Of a volume that asks for no size. */
  readonly volume: Bytes
  /** Of all volumes of one owner. */
  readonly perOwner: Bytes
  /** Of all volumes. */
  readonly total: Bytes
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/

interface Driver extends LocalVolumesOptions {
  readonly store: VolumeStore
  readonly queue: SerialQueue
}

/** Volumes on the disk of this machine: named ones that last from job to job of one owner, and paths that the machine's owner lists. */
export function createLocalVolumes(options: LocalVolumesOptions): VolumeProvider {
  const driver: Driver = { ...options, store: createVolumeStore(options.directory), queue: createSerialQueue() }
  return {
    kind: 'local',
    async probe() {
      const isBounded = options.enforcement !== 'measured' && (await canMakeImages())
      return { available: true, version: isBounded ? 'quotas by file systems' : 'quotas measured' }
    },
    check: (spec) => void parse(spec),
    prepare: (request, more = {}) =>
      driver.queue.run(() => {
        if (more.signal?.aborted === true) throw new CancelledError('the preparation of a volume was cancelled')
        return prepare(driver, request, more)
      }),
    release: (place) => driver.queue.run(() => release(driver, place)),
    list: () => driver.queue.run(async () => Promise.all((await driver.store.list()).map((record) => describe(driver, record)))),
    remove: (name) => driver.queue.run(() => remove(driver, name))
  }
}

type LocalSpec =
  | { readonly type: 'path'; readonly path: string }
  | { readonly type: 'named'; readonly name: string; readonly size?: Bytes }

function parse(spec: JsonValue): LocalSpec {
  const fields = volumeFields(spec, ['src', 'name', 'size'])
  const source = requiredText({ src: fields['src'] ?? fields['name'] ?? null }, 'src')
  const size = optionalSize(fields, 'size')
  if (source.startsWith('/')) {
    if (normalize(source) !== source || source === '/') {
      throw new StorageBadSpecError('src', `${JSON.stringify(source)} must be a path without ".", ".." or "//", and not "/"`)
    }
    if (size !== undefined) throw new StorageBadSpecError('size', 'is for named volumes; a path of the machine has none')
    return { type: 'path', path: source.replace(/\/$/, '') }
  }
  if (!NAME.test(source)) {
    throw new StorageBadSpecError('src', `${JSON.stringify(source)} must be an absolute path or match ${NAME.source}`)
  }
  if (size !== undefined && size < SMALLEST_IMAGE)
    throw new StorageBadSpecError('size', `must be at least ${SMALLEST_IMAGE} bytes`)
  return { type: 'named', name: source, ...(size === undefined ? {} : { size: bytes(size) }) }
}

async function prepare(driver: Driver, request: VolumeRequest, options: VolumeOptions): Promise<PreparedVolume> {
  const spec = parse(request.spec)
  const { isReadOnly } = request
  if (spec.type === 'named') return { source: await prepareNamed(driver, request, spec, options), isReadOnly }
  const target = await resolveHostPath(spec.path, request.owner, { allowed: driver.hostPaths, hidden: driver.hidden })
  if (process.getuid?.() !== 0) return { source: target, isReadOnly } // without root nothing can be mounted
  const mountPoint = join(request.directory, 'mount')
  await writeRecord(join(request.directory, 'local.json'), { type: 'path' })
  await pinDirectory(target, mountPoint)
  return { source: mountPoint, isReadOnly }
}

async function prepareNamed(
  driver: Driver,
  { id, owner, directory }: VolumeRequest,
  { name, size }: { readonly name: string; readonly size?: Bytes },
  options: VolumeOptions
): Promise<string> {
  const volume = { owner, name }
  const known = await driver.store.read(volume)
  if (known !== undefined && size !== undefined && size !== known.size) {
    throw new StorageBadSpecError('size', `the volume ${name} has ${known.size} bytes already; remove it to have another size`)
  }
  const record = known ?? (await admit(driver, volume, size ?? driver.quotas.volume))
  await writeRecord(join(directory, 'local.json'), { type: 'named', owner, name })
  if (known === undefined) await driver.store.write(record)
  await driver.store.addUser(volume, id)
  const data = join(driver.store.pathOf(volume), 'data')
  if (record.form === 'image' && (await openImage(driver, record, known === undefined, options))) return data
  await mkdir(data, { recursive: true, mode: 0o700 })
  await chmod(data, 0o777)
  const used = await measure(data)
  if (used <= record.size) return data
  throw new StorageQuotaError(`the volume ${name} holds ${used} bytes and may have ${record.size}`)
}

/** @throws StorageQuotaError when the new volume is too much for its owner or the machine. */
async function admit(driver: Driver, { owner, name }: StoredVolumeName, size: Bytes): Promise<VolumeRecord> {
  const { perOwner, total } = driver.quotas
  const records = await driver.store.list()
  const sum = (of: readonly VolumeRecord[]): number => of.reduce((all, record) => all + record.size, 0)
  const own = sum(records.filter((record) => record.owner === owner))
  if (own + size > perOwner) {
    throw new StorageQuotaError(
      `${name} with ${size} bytes: ${own} of the ${perOwner} bytes of its owner are taken (storage.owner_quota)`
    )
  }
  if (sum(records) + size > total) {
    throw new StorageQuotaError(
      `${name} with ${size} bytes: volumes may take ${total} bytes of this machine (storage.total_quota)`
    )
  }
  const canBound = driver.enforcement !== 'measured' && size >= SMALLEST_IMAGE && (await canMakeImages())
  return { owner, name, size, form: canBound ? 'image' : 'directory' }
}

/** Mounts the file system of a volume. False: a new volume gets none here, in a container without devices for one. */
async function openImage(driver: Driver, record: VolumeRecord, isNew: boolean, options: VolumeOptions): Promise<boolean> {
  const path = driver.store.pathOf(record)
  try {
    options.onProgress?.({ step: isNew ? 'format' : 'mount' })
    await createImage(path, record.size, options)
    await mountImage(path)
    return true
  } catch (error) {
    if (!isNew || !(error instanceof StorageFailedError)) throw error
    driver.log.warn('a volume cannot have a file system of its own; its size is measured', { reason: errorMessage(error) })
    await dropImage(path)
    await driver.store.write({ ...record, form: 'directory' })
    return false
  }
}

async function release(driver: Driver, { id, directory }: VolumePlace): Promise<void> {
  const record = await readRecord(join(directory, 'local.json'))
  await unmount(join(directory, 'mount'))
  const { owner, name } = record ?? {}
  if (typeof owner === 'string' && typeof name === 'string' && NAME.test(name)) {
    await driver.store.removeUser({ owner, name }, id)
    if ((await driver.store.users({ owner, name })).length === 0)
      await unmount(join(driver.store.pathOf({ owner, name }), 'data'))
  }
  await removeTree(join(directory, 'local.json'))
  await rmdir(join(directory, 'mount')).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error
  })
}

async function describe(driver: Driver, record: VolumeRecord): Promise<StoredVolume> {
  const { owner, name, size, form } = record
  const path = driver.store.pathOf(record)
  const used = form === 'image' ? await sizeOnDisk(join(path, 'image.ext4')) : await measure(join(path, 'data'))
  return { owner, name, size, used, users: await driver.store.users(record) }
}

async function sizeOnDisk(path: string): Promise<Bytes> {
  try {
    return bytes((await stat(path)).blocks * 512)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return bytes(0)
    throw error
  }
}

async function remove(driver: Driver, volume: StoredVolumeName): Promise<boolean> {
  if (!NAME.test(volume.name) || (await driver.store.read(volume)) === undefined) return false
  const users = await driver.store.users(volume)
  if (users.length > 0) throw new StorageInUseError(`the volume ${volume.name} is used by ${users.join(', ')}`)
  await unmount(join(driver.store.pathOf(volume), 'data'))
  await driver.store.erase(volume)
  return true
}
