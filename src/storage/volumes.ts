import { mkdir, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bytes, bytes, errorMessage, hasErrno, isJsonObject, type JsonValue } from '../base/index.ts'
import { fileNameFor, readRecord, removeTree, writeRecord } from './durable.ts'
import { StorageUnavailableError } from './errors.ts'
import { type OutputStore, parsePublish } from './outputs.ts'
import type { OutputPublisher, StoredVolume, StoredVolumeName, VolumeOptions, VolumeProbe, VolumeProvider } from './volume.ts'
import { outputsIn, parseVolumes } from './volume-list.ts'

/** The volumes of one allocation, as its ensemble lists them. */
export interface AllocationVolumes {
  /** The full allocation id. */
  readonly id: string
  /** DID of who deployed it. */
  readonly owner: string
  /** Maps with `type`, `mount_destination`, `read_only` and what the type needs; sizes in bytes. */
  readonly volumes: readonly JsonValue[]
  /** What the allocation may have on the disk; bounds what is fetched for all of its volumes together. */
  readonly limit: Bytes
}

/** A directory of this machine and its place inside: what an executor mounts. */
export interface VolumeMount {
  readonly source: string
  readonly target: string
  readonly isReadOnly: boolean
}

/** A {@link StoredVolume} and the provider that keeps it. */
export interface KeptVolume extends StoredVolume {
  readonly kind: string
}

/** All volumes of all allocations of this machine; one call at a time for each allocation. */
export interface Volumes {
  /** Providers by kind, and whether they work now. */
  probe(): Promise<ReadonlyMap<string, VolumeProbe>>
  /** Throws `STORAGE_BAD_SPEC` naming the volume and field; no effect. */
  check(volumes: readonly JsonValue[]): void
  /**
   * Prepares every volume of an allocation; the same call again after a crash, a failure or a cancellation goes on where it was.
   * What it began is recorded before: {@link Volumes.release} undoes it at any time.
   */
  prepare(allocation: AllocationVolumes, options?: VolumeOptions): Promise<readonly VolumeMount[]>
  /** Gives everything of the allocation back; idempotent. Named volumes stay. */
  release(allocationId: string): Promise<void>
  /** Releases what belongs to no allocation that is alive: at the start of the daemon. Returns the ids released. */
  sweep(isAlive: (allocationId: string) => boolean): Promise<readonly string[]>
  /** Volumes that outlive jobs; of one owner when given. */
  list(owner?: string): Promise<readonly KeptVolume[]>
  /** False: there is none of that name. @throws STORAGE_IN_USE */
  remove(volume: StoredVolumeName): Promise<boolean>
  /** Allocations that write to a volume which holds more than it may, where the file system itself does not stop them. */
  exceeding(): Promise<ReadonlyMap<string, KeptVolume>>
  /**
   * Keeps what an allocation that has ended left in its outputs, and publishes them where that was asked for; nothing for one without.
   * The same call again goes on where it was.
   */
  collect(allocation: AllocationVolumes, options?: VolumeOptions): Promise<void>
  /** What {@link Volumes.collect} kept, until {@link Volumes.drop}. */
  readonly outputs: Pick<OutputStore, 'find' | 'read' | 'drop'>
}

/** What is needed for {@link createVolumes}. */
export interface VolumesOptions {
  readonly providers: readonly VolumeProvider[]
  readonly publishers?: readonly OutputPublisher[]
  /** For records and for what is fetched for single allocations; absolute. */
  readonly directory: string
  /** Where outputs of ended jobs are kept. */
  readonly outputs: OutputStore
}

/** What is prepared for an allocation; written before anything is. */
const RECORD = 'volumes.json'

/** Joins the providers; nothing is touched before a call. */
export function createVolumes({ providers, publishers = [], directory, outputs }: VolumesOptions): Volumes {
  const parts: Parts = {
    providers,
    kinds: new Map(providers.map((provider) => [provider.kind, provider])),
    outlets: new Map(publishers.map((publisher) => [publisher.kind, publisher])),
    directory,
    outputs
  }
  return {
    outputs,
    async probe() {
      return new Map(await Promise.all(providers.map(async (provider) => [provider.kind, await provider.probe()] as const)))
    },
    check: (volumes) => void parseVolumes(volumes, parts.kinds),
    prepare: (allocation, options = {}) => prepareAll(parts, allocation, options),
    release: (id) => releaseAll(parts, id),
    async sweep(isAlive) {
      const dead = (await recordedIds(directory)).filter((id) => !isAlive(id))
      for (const id of dead) await releaseAll(parts, id)
      for (const id of await outputs.ids()) if (!isAlive(id)) await outputs.drop(id)
      return dead
    },
    list: (owner) => listAll(providers, owner),
    async remove(volume) {
      for (const provider of providers) if (await provider.remove(volume)) return true
      return false
    },
    async exceeding() {
      const full = (await listAll(providers)).filter(({ used, size }) => used > size)
      return new Map(full.flatMap((volume) => volume.users.map((user) => [user.replace(/\.\d+$/, ''), volume] as const)))
    },
    collect: (allocation, options = {}) => collectOutputs(parts, allocation, options)
  }
}

interface Parts {
  readonly providers: readonly VolumeProvider[]
  readonly kinds: ReadonlyMap<string, VolumeProvider>
  readonly outlets: ReadonlyMap<string, OutputPublisher>
  readonly directory: string
  readonly outputs: OutputStore
}

async function prepareAll(
  { kinds, directory }: Parts,
  { id, owner, volumes, limit }: AllocationVolumes,
  options: VolumeOptions
): Promise<readonly VolumeMount[]> {
  const parsed = parseVolumes(volumes, kinds)
  if (parsed.length === 0) return []
  const place = await makePlace(directory, id)
  await writeRecord(join(place, RECORD), { id, kinds: parsed.map(({ provider }) => provider.kind) })
  const mounts: VolumeMount[] = []
  let left: number = limit
  for (const [index, { provider, spec, target, isReadOnly }] of parsed.entries()) {
    const at = join(place, String(index))
    await mkdir(at, { recursive: true, mode: 0o700 })
    const request = { id: `${id}.${index}`, owner, directory: at, spec, isReadOnly, limit: bytes(Math.max(0, left)) }
    const prepared = await provider.prepare(request, options)
    left -= prepared.size ?? 0
    mounts.push({ source: prepared.source, target, isReadOnly: isReadOnly || prepared.isReadOnly })
  }
  return mounts
}

async function releaseAll({ kinds, directory }: Parts, id: string): Promise<void> {
  const place = await realDirectory(join(directory, fileNameFor(id)))
  if (place === undefined) return
  const used = (await readRecord(join(place, RECORD)))?.['kinds']
  for (const [index, kind] of (isList(used) ? used : []).entries()) {
    const provider = typeof kind === 'string' ? kinds.get(kind) : undefined
    if (provider === undefined) throw new StorageUnavailableError(`no provider is there to release volume ${index} of ${id}`)
    await provider.release({ id: `${id}.${index}`, directory: join(place, String(index)) })
  }
  await removeTree(place)
}

async function collectOutputs(
  { kinds, outlets, directory, outputs }: Parts,
  { id, owner, volumes, limit }: AllocationVolumes,
  options: VolumeOptions
): Promise<void> {
  const parsed = parseVolumes(volumes, kinds)
  const index = outputsIn(parsed)
  const volume = parsed[index]
  if (volume === undefined) return
  const place = await makePlace(directory, id)
  const at = join(place, String(index))
  // once more: after a restart of the machine it is not mounted
  const request = { id: `${id}.${index}`, owner, directory: at, spec: volume.spec, isReadOnly: false, limit }
  const { source } = await volume.provider.prepare(request, options)
  const collected = await outputs.collect(id, source, options)
  const { publish = null } = isJsonObject(volume.spec) ? volume.spec : {}
  if (publish === null || collected.published !== '' || collected.error.includes('not published: ')) return
  const files = collected.files.map(({ path, size }, number) => ({ path, size, source: outputs.pathOf(id, number) }))
  const { outlet, spec } = parsePublish(publish, outlets)
  const state = join(place, 'publish')
  await mkdir(state, { recursive: true, mode: 0o700 })
  try {
    const { location: published } = await outlet.publish({ id: `${id}.publish`, directory: state, spec, files }, options)
    await outputs.note(id, { ...collected, published })
  } catch (error) {
    if (options.signal?.aborted === true) throw error
    const refusal = `not published: ${errorMessage(error)}`
    await outputs.note(id, { ...collected, error: collected.error === '' ? refusal : `${collected.error}; ${refusal}` })
  }
}

/** The directory of an allocation by its real path: mounts are looked for by that. */
async function makePlace(directory: string, id: string): Promise<string> {
  const place = join(directory, fileNameFor(id))
  await mkdir(place, { recursive: true, mode: 0o700 })
  return await realpath(place)
}

async function listAll(providers: readonly VolumeProvider[], owner?: string): Promise<readonly KeptVolume[]> {
  const lists = await Promise.all(
    providers.map(async (provider) => (await provider.list()).map((volume) => ({ kind: provider.kind, ...volume })))
  )
  return lists.flat().filter((volume) => owner === undefined || volume.owner === owner)
}

/** Ids of the allocations that have something here; what a crash left before its record was written is removed. */
async function recordedIds(directory: string): Promise<readonly string[]> {
  const ids: string[] = []
  const real = await realDirectory(directory)
  for (const name of real === undefined ? [] : await readdir(real)) {
    const place = join(directory, name)
    const id = (await readRecord(join(place, RECORD)))?.['id']
    if (typeof id === 'string' && fileNameFor(id) === name) ids.push(id)
    else await removeTree(join(await realpath(directory), name))
  }
  return ids
}

async function realDirectory(path: string): Promise<string | undefined> {
  try {
    return await realpath(path)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/** `Array.isArray` does not narrow read-only lists. */
function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value)
}
