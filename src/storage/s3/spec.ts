import { createSecret, type JsonValue, type Secret } from '../../base/index.ts'
import { StorageBadSpecError } from '../errors.ts'
import { matchingText, optionalText, type VolumeFields, volumeFields } from '../spec.ts'

/** Where objects are. */
export interface S3Place {
  readonly bucket: string
  readonly region: string
  /** URL of the service; Amazon's when absent. */
  readonly endpoint?: string
  /** Nothing is signed without. */
  readonly credentials?: S3Credentials
}

/** What requests are signed with. */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: Secret
  readonly sessionToken?: Secret
}

/** The objects of a volume: one, or all below a prefix, which is empty or ends with `/`. */
export type S3Objects =
  | { readonly type: 'object'; readonly key: string; readonly sha256?: string }
  | { readonly type: 'prefix'; readonly prefix: string }

const BUCKET = /^[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/
const REGION = /^[a-z0-9-]{1,32}$/
const ACCESS_KEY = /^[\x21-\x7e]{1,128}$/
const KEY_MAX_BYTES = 1024

/** A SHA-256 as users write it. */
export const SHA256 = /^(?:sha256:)?[0-9a-f]{64}$/

const PLACE_FIELDS = ['bucket', 'region', 'endpoint', 'access_key_id', 'secret_access_key', 'session_token'] as const

/** What a volume of S3 says. @throws StorageBadSpecError */
export function parseInput(spec: JsonValue): S3Place & { readonly objects: S3Objects } {
  const fields = volumeFields(spec, [...PLACE_FIELDS, 'key', 'prefix', 'sha256'])
  const [key, prefix] = [keyIn(fields['key'], 'key'), keyIn(fields['prefix'], 'prefix')]
  const sha256 = matchingText(fields, 'sha256', SHA256, 'must be 64 lower-case hexadecimal digits')?.replace('sha256:', '')
  if (key !== undefined && prefix !== undefined) throw new StorageBadSpecError('prefix', 'is one too many beside key')
  const objects = objectsOf(key, prefix, sha256)
  return { ...placeIn(fields), objects }
}

function objectsOf(key: string | undefined, prefix: string | undefined, sha256: string | undefined): S3Objects {
  if (key !== undefined && !key.endsWith('/')) return { type: 'object', key, ...(sha256 === undefined ? {} : { sha256 }) }
  if (sha256 !== undefined) throw new StorageBadSpecError('sha256', 'is for one object; give its key')
  return { type: 'prefix', prefix: toPrefix(key ?? prefix) }
}

/** Where outputs are put. @throws StorageBadSpecError */
export function parseOutput(spec: JsonValue): S3Place & { readonly prefix: string } {
  const fields = volumeFields(spec, [...PLACE_FIELDS, 'prefix'])
  return { ...placeIn(fields), prefix: toPrefix(keyIn(fields['prefix'], 'prefix')) }
}

/** `data` is a directory, and not the beginning of `database`. */
function toPrefix(text = ''): string {
  return text === '' || text.endsWith('/') ? text : `${text}/`
}

function placeIn(fields: VolumeFields): S3Place {
  const bucket = matchingText(fields, 'bucket', BUCKET, 'must be 3 to 63 lower-case letters, digits, "-" and "."')
  if (bucket === undefined) throw new StorageBadSpecError('bucket', 'is missing')
  const region = matchingText(fields, 'region', REGION, 'must be the name of a region, like eu-central-1') ?? 'us-east-1'
  const endpoint = optionalText(fields, 'endpoint')
  if (endpoint !== undefined) checkEndpoint(endpoint)
  return { bucket, region, ...(endpoint === undefined ? {} : { endpoint }), ...credentialsIn(fields) }
}

function credentialsIn(fields: VolumeFields): Pick<S3Place, 'credentials'> {
  const accessKeyId = matchingText(fields, 'access_key_id', ACCESS_KEY, 'must be a key id without blanks')
  const secret = optionalText(fields, 'secret_access_key')
  const token = optionalText(fields, 'session_token')
  if (accessKeyId === undefined && secret === undefined) {
    if (token !== undefined) throw new StorageBadSpecError('session_token', 'is nothing without access_key_id')
    return {}
  }
  if (accessKeyId === undefined) throw new StorageBadSpecError('access_key_id', 'is missing beside secret_access_key')
  if (secret === undefined) throw new StorageBadSpecError('secret_access_key', 'is missing beside access_key_id')
  const sessionToken = token === undefined ? {} : { sessionToken: createSecret(token.trim()) }
  return { credentials: { accessKeyId, secretAccessKey: createSecret(secret.trim()), ...sessionToken } }
}

function checkEndpoint(text: string): void {
  const url = text.length <= 512 && URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.username === '' && url.password === ''
  if (!isPlain || url.search !== '' || url.hash !== '') {
    throw new StorageBadSpecError('endpoint', 'must be a URL like https://s3.example.org, without a name, password or query')
  }
}

function keyIn(value: JsonValue | undefined, field: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw new StorageBadSpecError(field, 'must be a text')
  if (Buffer.byteLength(value) > KEY_MAX_BYTES) throw new StorageBadSpecError(field, `is longer than ${KEY_MAX_BYTES} bytes`)
  if (/\p{Cc}/u.test(value)) throw new StorageBadSpecError(field, 'must not contain control characters')
  return value
}
