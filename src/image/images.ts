import { statfs } from 'node:fs/promises'
import {
  type AbortOptions,
  type AddressLookup,
  anySignal,
  type Bytes,
  bytes,
  type Clock,
  createSerialQueue,
  type Logger,
  type Millis,
  type Random,
  type Service,
  withTimeout
} from '../base/index.ts'
import { createConnection, type RegistryRules } from './connection.ts'
import type { RegistryAuth } from './credentials.ts'
import { toStoreError } from './durable.ts'
import { ImageDiskFullError } from './errors.ts'
import { createKeyedQueues } from './keyed-queues.ts'
import type { ImageConfig } from './manifest.ts'
import { type Pull, pullArtifact, pullImage, type Resolved, resolveManifest } from './pull.ts'
import { type ImageRecord, withReference } from './records.ts'
import { createSession } from './registry.ts'
import { parseSource } from './source.ts'
import { createImageStore } from './store.ts'

/** How far a pull is. */
export interface ImageProgress {
  readonly step: 'pull' | 'unpack'
  readonly done: Bytes
  readonly total: Bytes
}

/** Options of everything that fetches. */
export interface FetchOptions extends AbortOptions {
  /** Who uses it: kept until {@link Images.release}. */
  readonly workloadId: string
  /** For this registry only. */
  readonly auth?: RegistryAuth
  /** Told a few times a second. */
  readonly onProgress?: (progress: ImageProgress) => void
  /** Most bytes, packed or unpacked; the owner's limit holds as well. */
  readonly maxBytes?: Bytes
}

/** An image that is ready to be mounted. */
export interface PreparedImage {
  /** Of the manifest for this machine: names exactly what is run. */
  readonly digest: string
  readonly config: ImageConfig
  /** For overlayfs, top first; never written to. */
  readonly lowerDirectories: readonly string[]
}

/** An artefact on the disk. */
export interface FetchedArtifact {
  readonly digest: string
  readonly path: string
  readonly size: Bytes
  readonly mediaType: string
}

/** One image or artefact, for people. */
export interface StoredImage {
  readonly kind: 'image' | 'artifact'
  readonly digest: string
  readonly references: readonly string[]
  /** On the disk; layers that images share count for each. */
  readonly size: Bytes
  readonly createdAt: Millis
  readonly usedAt: Millis
  /** Ids of the workloads that use it. */
  readonly usedBy: readonly string[]
}

/** What may be removed; with neither member, all that nothing uses. */
export interface PruneOptions {
  /** Only what was last used before. */
  readonly usedBefore?: Millis
  /** The least recently used first, until what is left takes no more than this. */
  readonly downTo?: Bytes
}

/** What was removed. */
export interface Pruned {
  readonly removed: readonly StoredImage[]
  /** On the disk. */
  readonly freed: Bytes
}

/** Images and artefacts of registries, on this machine. */
export interface Images extends Service {
  /** Has an image ready: fetched, verified, unpacked, and kept for the workload. */
  prepare(reference: string, options: FetchOptions): Promise<PreparedImage>
  /** Has the only blob of an artefact ready, of one of these media types. */
  fetchArtifact(reference: string, options: FetchOptions & { readonly mediaTypes: readonly string[] }): Promise<FetchedArtifact>
  /** The workload needs nothing any more; idempotent. */
  release(workloadId: string): Promise<void>
  list(): readonly StoredImage[]
  /** All that is on the disk. */
  size(): Bytes
  prune(options: PruneOptions): Promise<Pruned>
}

/** What images need. */
export interface ImagesOptions {
  /** Nothing else writes there. */
  readonly directory: string
  readonly rules: RegistryRules
  /** What the store may take, jobs that run apart: the least recently used is removed beyond it. */
  readonly cacheSize: Bytes
  /** The largest image, packed and unpacked. */
  readonly maxImageSize: Bytes
  /** Without a byte for so long, a registry counts as stalled. */
  readonly stallLimit: Millis
  /** For a whole pull. */
  readonly pullLimit: Millis
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Default: that of the system. */
  readonly lookup?: AddressLookup
}

const MAX_FILES = 1_000_000
const PROGRESS_EVERY = 250
/** Left free on the disk for everything else. */
const DISK_RESERVE = 256 * 1024 * 1024

/** Creates the {@link Images} of a directory; touches nothing before `start`. */
export function createImages(options: ImagesOptions): Images {
  const { directory, clock, log, maxImageSize, cacheSize } = options
  const store = createImageStore(options)
  const connection = createConnection(options)
  const queues = createKeyedQueues()
  const writes = createSerialQueue()
  const pins = new Set<ReadonlySet<string>>()
  const lifetime = new AbortController()

  type Fetch<T> = (pull: Pull, resolved: Resolved) => Promise<T>

  /** The record of what the name means, fetched where it is missing, and leased. */
  async function obtain(
    reference: string,
    fetchOptions: FetchOptions,
    kind: ImageRecord['kind'],
    fetch: Fetch<Pick<ImageRecord, 'layers' | 'config'>>
  ): Promise<ImageRecord> {
    const { auth, signal, workloadId, onProgress } = fetchOptions
    const source = parseSource(reference)
    const pinned = new Set<string>()
    pins.add(pinned)
    const limit = Math.min(maxImageSize, fetchOptions.maxBytes ?? maxImageSize)
    async function work(inner: AbortSignal): Promise<ImageRecord> {
      const cached = source.digest === undefined ? undefined : store.find(source.digest)
      // A private image is given only to whom its registry gives it.
      if (cached?.kind === kind && !cached.isPrivate) return await use(cached, source.text, workloadId, pinned)
      const session = createSession({ connection, source, auth, clock })
      const pull: Pull = {
        session,
        source,
        store,
        clock,
        queues,
        pinned,
        maxBytes: limit,
        maxFiles: MAX_FILES,
        signal: anySignal(inner, lifetime.signal),
        onProgress: throttle(clock, onProgress)
      }
      const resolved = await resolveManifest(pull)
      const known = store.find(resolved.digest)
      if (known?.kind === kind) return await use(known, source.text, workloadId, pinned)
      await makeRoom(resolved.manifest.layers.reduce((sum, { size }) => sum + size, 0))
      const content = await fetch(pull, resolved)
      const now = clock.now()
      const { digest, aliases } = resolved
      const record: ImageRecord = {
        kind,
        digest,
        aliases,
        references: [],
        ...content,
        isPrivate: session.isPrivate(),
        createdAt: now,
        usedAt: now
      }
      return await use(record, source.text, workloadId, pinned)
    }

    let working: Promise<ImageRecord> | undefined
    try {
      return await withTimeout(
        clock,
        options.pullLimit,
        `pulling ${source.text}`,
        (inner) => (working = work(inner)),
        signal === undefined ? {} : { signal }
      )
    } finally {
      await working?.catch(() => undefined) // given up, but not ended yet
      pins.delete(pinned)
      await writes.run(() => store.collect(isPinned))
    }
  }

  function isPinned(digest: string): boolean {
    return [...pins].some((pinned) => pinned.has(digest))
  }

  async function use(record: ImageRecord, text: string, workloadId: string, pinned: Set<string>): Promise<ImageRecord> {
    for (const { blob, diffId } of record.layers) pinned.add(blob).add(diffId)
    pinned.add(record.digest)
    return await writes.run(async () => {
      const used = { ...record, references: withReference(record.references, text), usedAt: clock.now() }
      await store.keep(used)
      await store.lease(workloadId, record.digest)
      return used
    })
  }

  /** @throws ImageDiskFullError before anything is fetched that cannot fit. */
  async function makeRoom(incoming: number): Promise<void> {
    if (sizeNow() + incoming > cacheSize) await images.prune({ downTo: bytes(Math.max(0, cacheSize - incoming)) })
    const { bavail, bsize } = await statfs(directory).catch((error: unknown) => {
      throw toStoreError(error, 'cannot look at the disk')
    })
    const free = bavail * bsize - DISK_RESERVE
    if (incoming > free)
      throw new ImageDiskFullError(`the image has ${incoming} bytes, the disk has room for ${Math.max(0, free)}`)
  }

  function sizeNow(): number {
    const sizes = new Map<string, number>()
    for (const { layers } of store.records()) for (const { blob, diffId, bytes: size } of layers) sizes.set(diffId || blob, size)
    return [...sizes.values()].reduce((sum, size) => sum + size, 0)
  }

  function toStored({ kind, digest, references, layers, createdAt, usedAt }: ImageRecord): StoredImage {
    const usedBy = store.leases().filter((lease) => lease.digests.includes(digest))
    return {
      kind,
      digest,
      references,
      size: bytes(layers.reduce((sum, layer) => sum + layer.bytes, 0)),
      createdAt: createdAt as Millis,
      usedAt: usedAt as Millis,
      usedBy: usedBy.map(({ workloadId }) => workloadId).sort()
    }
  }

  const images: Images = {
    name: 'images',
    start: () => store.open(),
    async stop() {
      lifetime.abort()
      await writes.idle()
    },
    async prepare(reference, fetchOptions) {
      const { digest, config, layers } = await obtain(reference, fetchOptions, 'image', pullImage)
      const topFirst = layers.map(({ diffId }) => store.layout.layer(diffId)).reverse()
      return { digest, config, lowerDirectories: [...new Set(topFirst)] } // what a layer has again, its upper place hides
    },
    async fetchArtifact(reference, { mediaTypes, ...fetchOptions }) {
      const { digest, layers } = await obtain(reference, fetchOptions, 'artifact', async (pull, resolved) => ({
        layers: [await pullArtifact(pull, resolved, mediaTypes)],
        config: NO_CONFIG
      }))
      const [{ blob, mediaType, bytes: size } = NO_LAYER] = layers
      return { digest, path: store.layout.blob(blob), size: bytes(size), mediaType }
    },
    release: (workloadId) => writes.run(() => store.release(workloadId)),
    list: () =>
      store
        .records()
        .map(toStored)
        .sort((left, right) => right.usedAt - left.usedAt),
    size: () => bytes(sizeNow()),
    prune: ({ usedBefore, downTo }) =>
      writes.run(async () => {
        const before = sizeNow()
        const removed: StoredImage[] = []
        const idle = store
          .records()
          .map(toStored)
          .filter(({ usedBy }) => usedBy.length === 0)
          .filter(({ usedAt }) => usedBefore === undefined || usedAt < usedBefore)
          .sort((left, right) => left.usedAt - right.usedAt)
        for (const image of idle) {
          if (downTo !== undefined && sizeNow() <= downTo) break
          if (isPinned(image.digest)) continue // wanted again meanwhile
          await store.remove(image.digest)
          removed.push(image)
        }
        await store.collect(isPinned)
        const freed = bytes(before - sizeNow())
        if (removed.length > 0) log.info('images that nothing uses were removed', { images: removed.length, bytes: freed })
        return { removed, freed }
      })
  }
  return images
}

const NO_CONFIG: ImageConfig = { entrypoint: [], cmd: [], environment: [], workingDirectory: '/', user: '' }
const NO_LAYER = { blob: '', mediaType: '', bytes: 0 }

/** Adds up, and tells a few times a second, at the beginning of a step and at its end. */
function throttle(clock: Clock, onProgress: FetchOptions['onProgress']): Pull['onProgress'] {
  let done = 0
  let [toldAt, toldStep] = [0, '']
  return (step, count, total) => {
    done += count
    const isDue = clock.now() - toldAt >= PROGRESS_EVERY || step !== toldStep || done === total
    if (!isDue) return
    toldAt = clock.now()
    toldStep = step
    onProgress?.({ step, done: bytes(Math.max(0, done)), total: bytes(total) })
  }
}
