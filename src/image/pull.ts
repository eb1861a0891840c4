import { mkdir, rm } from 'node:fs/promises'
import { type AbortOptions, type Clock, linkSignals, mapConcurrently } from '../base/index.ts'
import { readSmall } from './connection.ts'
import { digestOf } from './digest.ts'
import { downloadBlob } from './download.ts'
import { ImageRefusedError } from './errors.ts'
import type { KeyedQueues } from './keyed-queues.ts'
import { choosePlatform, type Descriptor, MAX_DOCUMENT, type Manifest, parseConfig, parseManifest } from './manifest.ts'
import type { ImageRecord, LayerEntry } from './records.ts'
import { type RegistrySession, wrongDigest } from './registry.ts'
import type { ImageSource } from './source.ts'
import type { ImageStore } from './store.ts'
import type { Compression } from './unpack-layer.ts'
import { unpackLayers } from './unpacker.ts'

/** One pull. */
export interface Pull extends AbortOptions {
  readonly session: RegistrySession
  readonly source: ImageSource
  readonly store: ImageStore
  readonly clock: Clock
  /** One at a time for each digest, over all pulls. */
  readonly queues: KeyedQueues
  /** Digests that nobody may remove meanwhile. */
  readonly pinned: Set<string>
  readonly maxBytes: number
  readonly maxFiles: number
  onProgress(step: 'pull' | 'unpack', count: number, total: number): void
}

/** A manifest for this machine. */
export interface Resolved {
  readonly digest: string
  readonly aliases: readonly string[]
  readonly manifest: Manifest
}

/** Blobs that one pull fetches at the same time. */
const PARALLEL = 3
/** A layer that grows more than this is a bomb; small ones may. */
const MAX_RATIO = 250
const SMALL_LAYER = 64 * 1024 * 1024

/** Asks the registry what the name means here and now. */
export async function resolveManifest({ session, source, signal }: Pull): Promise<Resolved> {
  const options = signal === undefined ? {} : { signal }
  const first = await session.manifest(source.version, options)
  const parsed = parseManifest(first.body, first.contentType)
  if (parsed.type === 'image') return { digest: first.digest, aliases: [], manifest: parsed }
  const second = await session.manifest(choosePlatform(parsed, source.text).digest, options)
  const manifest = parseManifest(second.body, second.contentType)
  if (manifest.type !== 'image') throw new ImageRefusedError(`${source.text} is a list of lists`)
  return { digest: second.digest, aliases: [first.digest], manifest }
}

/** Fetches and unpacks what is missing of an image. */
export async function pullImage(pull: Pull, { manifest }: Resolved): Promise<Pick<ImageRecord, 'layers' | 'config'>> {
  const { source, store } = pull
  const total = manifest.layers.reduce((sum, { size }) => sum + size, 0)
  checkSize(pull, total)
  const { config, diffIds } = parseConfig(await fetchConfig(pull, manifest.config), manifest.layers.length)
  for (const diffId of diffIds) pull.pinned.add(diffId)
  let unpacked = 0
  /** Only pulls from the same registry wait for each other: a slow one must not hold up those from others. */
  const runFor = <T>(diffId: string, task: () => Promise<T>, signal: AbortSignal) =>
    pull.queues.run(`${source.host} ${diffId}`, task, { signal })
  const layers = await allOrNone(pull, manifest.layers, async (blob, index, signal): Promise<LayerEntry> => {
    const diffId = diffIds[index] ?? ''
    const bytes = await runFor(
      diffId,
      async () => {
        const known = store.layerBytes(diffId)
        if (known !== undefined) {
          pull.onProgress('pull', blob.size, total)
          return known
        }
        return await pullLayer({ ...pull, signal }, { blob, diffId, total, left: pull.maxBytes - unpacked })
      },
      signal
    )
    unpacked += bytes
    if (unpacked > pull.maxBytes) throw new ImageRefusedError(`${source.text} unpacks to more than ${pull.maxBytes} bytes`)
    return { blob: blob.digest, mediaType: blob.mediaType, diffId, bytes }
  })
  return { layers, config }
}

/** The first failure ends the others, and none goes on after this has returned. */
async function allOrNone<T>(
  { signal }: AbortOptions,
  blobs: readonly Descriptor[],
  work: (blob: Descriptor, index: number, signal: AbortSignal) => Promise<T>
): Promise<readonly T[]> {
  const linked = linkSignals(signal)
  const failures: unknown[] = []
  const results = await mapConcurrently(blobs, PARALLEL, async (blob, index) => {
    if (failures.length > 0) return undefined
    try {
      return await work(blob, index, linked.signal)
    } catch (error) {
      failures.push(error)
      linked.end()
      return undefined
    }
  })
  linked.end()
  if (failures.length > 0) throw failures[0]
  return results.filter((result) => result !== undefined)
}

function checkSize({ source, maxBytes }: Pull, total: number): void {
  if (total > maxBytes) throw new ImageRefusedError(`${source.text} has ${total} bytes; at most ${maxBytes} are accepted`)
}

async function fetchConfig({ session, source, signal }: Pull, blob: Descriptor): Promise<Uint8Array> {
  if (blob.size > MAX_DOCUMENT)
    throw new ImageRefusedError(`the configuration has ${blob.size} bytes; at most ${MAX_DOCUMENT} are accepted`)
  const answer = await session.blob(blob.digest, 0, signal === undefined ? {} : { signal })
  const body = await readSmall(answer, MAX_DOCUMENT)
  const digest = digestOf(body)
  if (digest !== blob.digest) throw wrongDigest('the configuration', blob.digest, digest, source)
  return body
}

interface LayerPull {
  readonly blob: Descriptor
  readonly diffId: string
  readonly total: number
  /** What it may unpack to. */
  readonly left: number
}

async function pullLayer(pull: Pull, { blob, diffId, total, left }: LayerPull): Promise<number> {
  const { store, signal } = pull
  const options = signal === undefined ? {} : { signal }
  const compression = compressionOf(blob.mediaType)
  const [path, target] = [store.temporary(), store.temporary()]
  try {
    await download(pull, blob, path, (count) => pull.onProgress('pull', count, total))
    await mkdir(target, { mode: 0o755 })
    pull.onProgress('unpack', 0, total)
    const maxBytes = Math.min(left, Math.max(SMALL_LAYER, blob.size * MAX_RATIO))
    const job = { blob: path, compression, target, diffId, maxBytes, maxFiles: pull.maxFiles }
    const [summary = { bytes: 0, files: 0 }] = await unpackLayers([job], options)
    const bytes = summary.bytes + summary.files * INODE_COST
    await store.keepLayer(diffId, target, bytes)
    return bytes
  } finally {
    await rm(path, { force: true })
    await rm(target, { recursive: true, force: true })
  }
}

/** Rounded up to blocks, a file takes half a block more than its bytes. */
const INODE_COST = 2048

async function download(pull: Pull, blob: Descriptor, path: string, onBytes: (count: number) => void): Promise<void> {
  const { session, source, store, clock, signal } = pull
  const temporary = store.temporary()
  await downloadBlob({ session, source, blob, path, temporary, clock, onBytes, ...(signal === undefined ? {} : { signal }) })
}

function compressionOf(mediaType: string): Compression {
  if (/\.tar(?:\.|\+)gzip$/.test(mediaType)) return 'gzip'
  if (/\.tar\+zstd$/.test(mediaType)) return 'zstd'
  if (/\.tar$/.test(mediaType)) return 'none'
  throw new ImageRefusedError(`layers of type ${JSON.stringify(mediaType.slice(0, 200))} are not supported`)
}

/**
 * Fetches the only blob of an artefact.
 *
 * @param mediaTypes - Accepted for the blob.
 */
export async function pullArtifact(pull: Pull, { manifest }: Resolved, mediaTypes: readonly string[]): Promise<LayerEntry> {
  const { store, source } = pull
  const blob = chooseBlob(manifest, mediaTypes, source)
  checkSize(pull, blob.size)
  pull.pinned.add(blob.digest)
  await pull.queues.run(
    `${source.host} ${blob.digest}`,
    async () => {
      if (store.hasBlob(blob.digest)) return
      await download(pull, blob, store.layout.blob(blob.digest), (count) => pull.onProgress('pull', count, blob.size))
      store.blobCame(blob.digest)
    },
    pull.signal === undefined ? {} : { signal: pull.signal }
  )
  return { blob: blob.digest, mediaType: blob.mediaType, diffId: '', bytes: blob.size }
}

/** The blob of an artefact, checked. */
export function chooseBlob({ layers }: Manifest, mediaTypes: readonly string[], { text }: ImageSource): Descriptor {
  const [blob, ...more] = layers
  if (blob === undefined || more.length > 0)
    throw new ImageRefusedError(`${text} has ${layers.length} blobs; an artefact has one`)
  if (!mediaTypes.includes(blob.mediaType)) {
    throw new ImageRefusedError(
      `${text} is of type ${JSON.stringify(blob.mediaType.slice(0, 200))}, not ${mediaTypes.join(' or ')}`
    )
  }
  return blob
}
