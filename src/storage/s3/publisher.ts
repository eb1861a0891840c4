import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { bytes, createSerialQueue, isJsonObject, type JsonValue, mapConcurrently, withTimeout } from '../../base/index.ts'
import { readRecord, removeTree, writeRecord } from '../durable.ts'
import { StorageChecksumError, StorageFailedError, StorageNotFoundError, StorageNotPermittedError } from '../errors.ts'
import type { OutputPublisher, PublishedFile, PublishedOutputs, PublishRequest, VolumeOptions } from '../volume.ts'
import { openS3, type S3Session, type SendOptions } from './client.ts'
import type { S3Options } from './s3-volumes.ts'
import { parseOutput } from './spec.ts'

/** Larger files are sent in parts, of which those that arrived are not sent again. S3 wants 5 MiB or more. */
const PART = 8 * 1024 * 1024
/** S3 takes no more. */
const MAX_PARTS = 10_000
/** Parts in memory at the same time. */
const PARTS_AT_ONCE = 3
/** Files sent between two records of which are done: a file that is sent twice is the same. */
const RECORD_STEP = 64
const RECORD = 'publish.json'

/** Sends outputs to a bucket; what is at the service is verified by its checksums. */
export function createS3Publisher({ clock, rules }: S3Options): OutputPublisher {
  return {
    kind: 's3',
    check: (spec) => void parseOutput(spec),
    async publish(request, options = {}) {
      const { bucket, prefix, ...place } = parseOutput(request.spec)
      return await withTimeout(
        clock,
        rules.timeLimit,
        'publishing outputs to S3',
        async (signal) => {
          const session = await openS3({ ...place, bucket }, clock, rules)
          try {
            return await sendAll({ session, bucket, prefix, abort: { signal, limit: rules.timeLimit } }, request, options)
          } finally {
            session.close()
          }
        },
        options
      )
    }
  }
}

interface Target {
  readonly session: S3Session
  readonly abort: SendOptions
  readonly bucket: string
  readonly prefix: string
}

/** What is known of an unfinished publication. */
interface Progress {
  /** Paths of files that arrived. */
  readonly done: Set<string>
  /** Uploads in parts that are not finished, by path. */
  readonly uploads: Map<string, Upload>
}

/** An upload in parts: what the service calls it, and the MD5 of each part that arrived, by its place. */
interface Upload {
  readonly id: string
  readonly parts: Record<string, string>
}

async function sendAll(
  target: Target,
  { directory, files }: PublishRequest,
  { onProgress }: VolumeOptions
): Promise<PublishedOutputs> {
  const record = join(directory, RECORD)
  const progress = toProgress(await readRecord(record))
  const saves = createSerialQueue()
  const save = (): Promise<void> =>
    saves.run(() => writeRecord(record, { done: [...progress.done], uploads: toRecord(progress.uploads) }))
  const total = files.reduce((sum, { size }) => sum + size, 0)
  let sent = 0
  for (const [index, file] of files.entries()) {
    if (!progress.done.has(file.path)) {
      if (file.size <= PART) await sendWhole(target, file)
      else await sendInParts(target, file, { progress, save })
      progress.done.add(file.path)
      if (file.size > PART || index % RECORD_STEP === 0) await save()
    }
    sent += file.size
    onProgress?.({ step: 'publish', done: bytes(sent), total: bytes(total) })
  }
  await removeTree(record)
  return { location: `s3://${target.bucket}/${target.prefix}`, files: files.length, size: bytes(total) }
}

function toProgress(record: Readonly<Record<string, JsonValue>> | undefined): Progress {
  const { done, uploads } = record ?? {}
  const paths = Array.isArray(done) ? (done as readonly JsonValue[]) : []
  const begun = uploads !== undefined && isJsonObject(uploads) ? Object.entries(uploads) : []
  return {
    done: new Set(paths.filter((path) => typeof path === 'string')),
    uploads: new Map(begun.map(([path, value]) => [path, toUpload(value)]))
  }
}

function toRecord(uploads: Progress['uploads']): JsonValue {
  return Object.fromEntries([...uploads].map(([path, { id, parts }]) => [path, { id, parts }]))
}

function toUpload(value: JsonValue): Upload {
  const { id, parts } = isJsonObject(value) ? value : {}
  const tags = parts !== undefined && isJsonObject(parts) ? Object.entries(parts) : []
  return {
    id: typeof id === 'string' ? id : '',
    parts: Object.fromEntries(tags.flatMap(([place, tag]) => (typeof tag === 'string' ? [[place, tag] as const] : [])))
  }
}

async function sendWhole({ session, bucket, prefix, abort }: Target, { path, source, size }: PublishedFile): Promise<void> {
  const file = await open(source, 'r')
  try {
    const body = await readPart(file, 0, size)
    const md5 = createHash('md5').update(body).digest()
    const command = new session.sdk.PutObjectCommand({
      ...{ Bucket: bucket, Key: prefix + path, Body: body },
      ContentMD5: md5.toString('base64')
    })
    await session.send(`sending ${path}`, (client, options) => client.send(command, options), abort)
  } finally {
    await file.close()
  }
}

interface Memory {
  readonly progress: Progress
  save(): Promise<void>
}

/** Goes on with an upload that was begun; one that the service no longer knows begins anew. */
async function sendInParts(target: Target, file: PublishedFile, memory: Memory): Promise<void> {
  const { uploads } = memory.progress
  const wasBegun = uploads.has(file.path)
  try {
    await upload(target, file, memory)
  } catch (error) {
    if (!wasBegun || !(error instanceof StorageNotFoundError)) throw error
    uploads.delete(file.path)
    await upload(target, file, memory)
  }
  uploads.delete(file.path)
}

async function upload(target: Target, file: PublishedFile, memory: Memory): Promise<void> {
  const { session, bucket, prefix, abort } = target
  const { id, parts } = await uploadOf(target, file, memory)
  const key = { Bucket: bucket, Key: prefix + file.path, UploadId: id }
  const length = Math.max(PART, Math.ceil(file.size / MAX_PARTS))
  const offsets = Array.from({ length: Math.ceil(file.size / length) }, (_, index) => index * length)
  const handle = await open(file.source, 'r')
  try {
    await sendParts(offsets, async (offset, index) => {
      if (parts[index] !== undefined) return
      const body = await readPart(handle, offset, Math.min(length, file.size - offset))
      parts[index] = await sendPart(target, { ...key, PartNumber: index + 1 }, body)
      await memory.save()
    })
  } finally {
    await handle.close()
  }
  const Parts = offsets.map((_, index) => ({ PartNumber: index + 1, ETag: `"${parts[index] ?? ''}"` }))
  const command = new session.sdk.CompleteMultipartUploadCommand({ ...key, MultipartUpload: { Parts } })
  const { ETag: etag = '' } = await session.send(
    `finishing ${file.path}`,
    (client, options) => client.send(command, options),
    abort
  )
  checkWhole(file.path, etag, Object.values(parts))
  const arrived = await lengthOf(target, key.Key)
  if (arrived !== undefined && arrived !== file.size)
    throw new StorageChecksumError(`${file.path} arrived with ${arrived} bytes, not ${file.size}`)
}

/** Of an object at the service; `undefined` for keys that may write and not look. */
async function lengthOf({ session, bucket, abort }: Target, key: string): Promise<number | undefined> {
  const command = new session.sdk.HeadObjectCommand({ Bucket: bucket, Key: key })
  try {
    const { ContentLength } = await session.send(`looking at ${key}`, (client, options) => client.send(command, options), abort)
    return ContentLength ?? 0
  } catch (error) {
    if (error instanceof StorageNotPermittedError) return undefined
    throw error
  }
}

/** Some at a time; after the first failure no more are begun, and it is thrown once none is on its way any more. */
async function sendParts(offsets: readonly number[], send: (offset: number, index: number) => Promise<void>): Promise<void> {
  const failures: unknown[] = []
  await mapConcurrently(offsets, PARTS_AT_ONCE, async (offset, index) => {
    if (failures.length > 0) return
    await send(offset, index).catch((error: unknown) => failures.push(error))
  })
  if (failures.length > 0) throw failures[0]
}

async function uploadOf(
  { session, bucket, prefix, abort }: Target,
  { path }: PublishedFile,
  { progress, save }: Memory
): Promise<Upload> {
  const known = progress.uploads.get(path)
  if (known !== undefined) return known
  const command = new session.sdk.CreateMultipartUploadCommand({ Bucket: bucket, Key: prefix + path })
  const { UploadId: id } = await session.send(`beginning ${path}`, (client, options) => client.send(command, options), abort)
  if (id === undefined) throw new StorageFailedError(`${session.host} begins no upload`)
  const begun = { id, parts: {} }
  progress.uploads.set(path, begun)
  await save()
  return begun
}

interface PartKey {
  readonly Bucket: string
  readonly Key: string
  readonly UploadId: string
  readonly PartNumber: number
}

/** Resolves with the MD5 of the part. */
async function sendPart({ session, abort }: Target, key: PartKey, body: Buffer): Promise<string> {
  const md5 = createHash('md5').update(body).digest()
  const command = new session.sdk.UploadPartCommand({ ...key, Body: body, ContentMD5: md5.toString('base64') })
  await session.send(`sending part ${key.PartNumber} of ${key.Key}`, (client, options) => client.send(command, options), abort)
  return md5.toString('hex')
}

/** The ETag of an object of parts is the MD5 of their MD5s, and their number. @throws StorageChecksumError */
function checkWhole(path: string, etag: string, tags: readonly string[]): void {
  const whole = createHash('md5')
    .update(Buffer.from(tags.join(''), 'hex'))
    .digest('hex')
  const said = /^"?([0-9a-f]{32})-\d+"?$/.exec(etag)?.[1]
  if (said !== undefined && said !== whole)
    throw new StorageChecksumError(`${path} arrived as something else: ${said}, not ${whole}`)
}

async function readPart(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled)
    if (bytesRead === 0) throw new StorageFailedError('an output was cut while it was sent')
    filled += bytesRead
  }
  return buffer
}
