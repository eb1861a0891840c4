import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, createSerialQueue, type Logger, type Random } from '../base/index.ts'
import { discard, namesIn, place, readDocument, temporaryPath, toStoreError, writeDocument } from './durable.ts'
import { createLayout, type Layout } from './layout.ts'
import { decodeLease, decodeRecord, encodeRecord, type ImageRecord, type Lease } from './records.ts'

/** Content by its digest, images made of it, and who uses them. One process at a time. */
export interface ImageStore {
  readonly layout: Layout
  /** Makes the directories, sweeps what is unfinished, reads what is there. */
  open(): Promise<void>
  temporary(): string
  records(): readonly ImageRecord[]
  /** By the digest of its manifest or of an index that leads to it. */
  find(digest: string): ImageRecord | undefined
  keep(record: ImageRecord): Promise<void>
  leases(): readonly Lease[]
  lease(workloadId: string, digest: string): Promise<void>
  release(workloadId: string): Promise<void>
  /** Bytes of an unpacked layer that is whole; `undefined` when there is none. */
  layerBytes(diffId: string): number | undefined
  keepLayer(diffId: string, temporary: string, bytes: number): Promise<void>
  hasBlob(digest: string): boolean
  /** Tells that a blob is at its place now. */
  blobCame(digest: string): void
  /** Removes the record, then what nothing needs any more. */
  remove(digest: string): Promise<void>
  /** Removes layers and blobs that no record names and that are not pinned at the moment of their removal. */
  collect(isPinned: (digest: string) => boolean): Promise<void>
}

/** What a store needs. */
export interface StoreOptions {
  readonly directory: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** Creates an {@link ImageStore}; touches nothing before `open`. */
export function createImageStore({ directory, random, log }: StoreOptions): ImageStore {
  const layout = createLayout(directory)
  const records = new Map<string, ImageRecord>()
  const leases = new Map<string, Lease>()
  const layers = new Map<string, number>()
  const blobs = new Set<string>()
  /** A layer is not put where it is being removed. */
  const removals = createSerialQueue()
  const temporary = (): string => temporaryPath(layout.temporary, random)

  async function readAll(): Promise<void> {
    for (const name of await namesIn(layout.layers)) await readLayer(name)
    for (const name of await namesIn(layout.blobs)) blobs.add(`sha256:${name}`)
    for (const name of await namesIn(layout.records)) {
      const record = decodeRecord((await readDocument(join(layout.records, name))) ?? {})
      if (record !== undefined && isWhole(record)) records.set(record.digest, record)
      else {
        log.warn('an image is not whole and is fetched again when it is needed', { record: name })
        await discard(join(layout.records, name), temporary())
      }
    }
    for (const name of await namesIn(layout.leases)) {
      const lease = decodeLease((await readDocument(join(layout.leases, name))) ?? {})
      if (lease !== undefined) leases.set(lease.workloadId, lease)
    }
  }

  /** The record of a layer is written last, so a directory without one is litter. */
  async function readLayer(name: string): Promise<void> {
    const [, hex] = /^sha256-([0-9a-f]{64})$/.exec(name) ?? []
    if (hex === undefined) return
    const diffId = `sha256:${hex}`
    const found = await readDocument(layout.layerRecord(diffId))
    if (found === undefined) await discard(layout.layer(diffId), temporary())
    else layers.set(diffId, Number(found['bytes']))
  }

  function isWhole({ kind, layers: needed }: ImageRecord): boolean {
    return needed.every(({ blob, diffId }) => (kind === 'image' ? layers.has(diffId) : blobs.has(blob)))
  }

  async function collectNow(isPinned: (digest: string) => boolean): Promise<void> {
    const all = [...records.values()]
    const neededLayers = new Set(all.flatMap((record) => record.layers.map(({ diffId }) => diffId)))
    const neededBlobs = new Set(
      all.filter(({ kind }) => kind === 'artifact').flatMap((record) => record.layers.map(({ blob }) => blob))
    )
    for (const diffId of [...layers.keys()].filter((layer) => !neededLayers.has(layer))) {
      if (isPinned(diffId)) continue
      layers.delete(diffId)
      await discard(layout.layerRecord(diffId), temporary())
      await discard(layout.layer(diffId), temporary())
    }
    for (const blob of [...blobs].filter((digest) => !neededBlobs.has(digest))) {
      if (isPinned(blob)) continue
      blobs.delete(blob)
      await discard(layout.blob(blob), temporary())
    }
  }

  return {
    layout,
    temporary,
    collect: (isPinned) => removals.run(() => collectNow(isPinned)),
    async open() {
      try {
        await rm(layout.temporary, { recursive: true, force: true })
        for (const path of [layout.blobs, layout.layers, layout.records, layout.leases, layout.temporary]) {
          await mkdir(path, { recursive: true, mode: 0o700 })
        }
      } catch (error) {
        throw toStoreError(error, `cannot open the store of images in ${directory}`)
      }
      await readAll()
      await collectNow(() => false)
    },
    records: () => [...records.values()],
    find: (digest) => [...records.values()].find((record) => record.digest === digest || record.aliases.includes(digest)),
    async keep(record) {
      await writeDocument(layout.record(record.digest), temporary(), encodeRecord(record))
      records.set(record.digest, record)
    },
    leases: () => [...leases.values()],
    async lease(workloadId, digest) {
      const digests = new Set([...(leases.get(workloadId)?.digests ?? []), digest])
      const lease = { workloadId, digests: [...digests] }
      await writeDocument(layout.lease(workloadId), temporary(), lease)
      leases.set(workloadId, lease)
    },
    async release(workloadId) {
      leases.delete(workloadId)
      await discard(layout.lease(workloadId), temporary())
    },
    layerBytes: (diffId) => layers.get(diffId),
    keepLayer: (diffId, unpacked, bytes) =>
      removals.run(async () => {
        if (layers.has(diffId)) return // came from elsewhere meanwhile
        await place(unpacked, layout.layer(diffId)).catch((error: unknown) => {
          throw toStoreError(error, `cannot keep layer ${diffId}`)
        })
        await writeDocument(layout.layerRecord(diffId), temporary(), { bytes })
        layers.set(diffId, bytes)
      }),
    hasBlob: (digest) => blobs.has(digest),
    blobCame: (digest) => void blobs.add(digest),
    async remove(digest) {
      records.delete(digest)
      await discard(layout.record(digest), temporary())
    }
  }
}
