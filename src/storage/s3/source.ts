import { basename } from 'node:path/posix'
import { Readable } from 'node:stream'
import type { AbortOptions, Clock } from '../../base/index.ts'
import type { TransferRules } from '../endpoint.ts'
import { StorageNotFoundError, StorageQuotaError, StorageUnavailableError } from '../errors.ts'
import { MAX_FILES } from '../fetching.ts'
import { toRelativePath } from '../object-path.ts'
import { type Checksum, patiently, type RemoteBody, type RemoteFile, type RemoteSource } from '../remote.ts'
import { openS3, type S3Session } from './client.ts'
import type { S3Objects, S3Place } from './spec.ts'

/** What is needed to fetch objects. */
export interface S3SourceOptions {
  readonly place: S3Place & { readonly objects: S3Objects }
  readonly clock: Clock
  readonly rules: TransferRules
}

/** Pages of a list: a thousand keys each, markers of directories among them. */
const MAX_PAGES = 64
const MD5 = /^"?([0-9a-f]{32})"?$/

/** The objects of a volume as files. @throws StorageNotPermittedError */
export async function openS3Source({ place, clock, rules }: S3SourceOptions): Promise<RemoteSource> {
  const session = await openS3(place, clock, rules)
  const { bucket, objects } = place
  return {
    async list(options) {
      if (objects.type === 'prefix') return await listObjects(session, bucket, objects.prefix, options)
      return [await describeObject(session, bucket, objects, options)]
    },
    read: (file, from, options) => readObject({ session, bucket, clock, rules }, file, from, options),
    close: () => session.close()
  }
}

async function describeObject(
  { sdk, send }: S3Session,
  bucket: string,
  { key, sha256 }: { readonly key: string; readonly sha256?: string },
  options: AbortOptions
): Promise<RemoteFile> {
  const command = new sdk.HeadObjectCommand({ Bucket: bucket, Key: key })
  const found = await send(`looking for ${key}`, (client, abort) => client.send(command, abort), options)
  const isPlain = found.ServerSideEncryption === undefined || found.ServerSideEncryption === 'AES256'
  return toFile({ key, path: basename(key), size: found.ContentLength, etag: found.ETag }, sha256, isPlain)
}

async function listObjects(
  { sdk, send }: S3Session,
  bucket: string,
  prefix: string,
  options: AbortOptions
): Promise<readonly RemoteFile[]> {
  const files: RemoteFile[] = []
  let token: string | undefined
  for (let page = 0; ; page += 1) {
    const command = new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token })
    const found = await send(`listing ${bucket}/${prefix}`, (client, abort) => client.send(command, abort), options)
    for (const { Key: key = '', Size: size, ETag: etag } of found.Contents ?? []) {
      // what ends with a slash stands for a directory, in tools that know some
      if (key.startsWith(prefix) && !key.endsWith('/')) files.push(toFile({ key, path: key.slice(prefix.length), size, etag }))
    }
    if (files.length > MAX_FILES || page === MAX_PAGES)
      throw new StorageQuotaError(`${bucket}/${prefix} has more than ${MAX_FILES} objects`)
    token = found.NextContinuationToken
    if (found.IsTruncated !== true || token === undefined) break
  }
  if (files.length === 0) throw new StorageNotFoundError(`there are no objects below ${bucket}/${prefix}`)
  return files
}

interface FoundObject {
  readonly key: string
  readonly path: string
  readonly size: number | undefined
  readonly etag: string | undefined
}

/** The ETag of what was sent in one piece is its MD5, unless a key management service encrypts it. */
function toFile({ key, path, size, etag = '' }: FoundObject, sha256?: string, isPlain = true): RemoteFile {
  if (size === undefined) throw new StorageUnavailableError(`the service does not tell the size of ${key}`)
  const md5 = isPlain ? MD5.exec(etag)?.[1] : undefined
  const checksum: Checksum | undefined =
    sha256 !== undefined ? { algorithm: 'sha256', hex: sha256 } : md5 !== undefined ? { algorithm: 'md5', hex: md5 } : undefined
  return { path: toRelativePath(path), name: key, size, version: etag, ...(checksum === undefined ? {} : { checksum }) }
}

interface Reading {
  readonly session: S3Session
  readonly bucket: string
  readonly clock: Clock
  readonly rules: TransferRules
}

async function readObject(
  { session, bucket, clock, rules }: Reading,
  { name, version }: RemoteFile,
  from: number,
  options: AbortOptions
): Promise<RemoteBody> {
  const command = new session.sdk.GetObjectCommand({
    Bucket: bucket,
    Key: name,
    ...(version === '' ? {} : { IfMatch: version }),
    ...(from === 0 ? {} : { Range: `bytes=${from}-` })
  })
  const { Body: body, ContentRange: range } = await session.send(
    `fetching ${name}`,
    (client, abort) => client.send(command, abort),
    options
  )
  if (!(body instanceof Readable)) throw new StorageUnavailableError(`${session.host} sends nothing for ${name}`)
  const end = (): void => void body.destroy()
  const pieces = patiently(body, { clock, limit: rules.stallLimit, host: session.host, end })
  return { from: range?.startsWith(`bytes ${from}-`) === true ? from : 0, pieces }
}
