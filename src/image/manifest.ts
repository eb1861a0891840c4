import { isImageDigest, isJsonObject, type JsonValue, parseJson } from '../base/index.ts'
import { ImageNotFoundError, ImageRefusedError } from './errors.ts'

/** A piece of content as manifests name it. */
export interface Descriptor {
  readonly mediaType: string
  /** `sha256:` and 64 hex digits. */
  readonly digest: string
  /** In bytes. */
  readonly size: number
}

/** One image or artefact for one platform. */
export interface Manifest {
  readonly type: 'image'
  readonly artifactType: string | undefined
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

/** One image for several platforms. */
export interface ManifestIndex {
  readonly type: 'index'
  readonly entries: readonly (Descriptor & { readonly platform: Platform | undefined })[]
}

/** What an image is made for, in Go's words. */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant: string | undefined
}

/** What is executed and how, as the author of the image wants it. */
export interface ImageConfig {
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  /** `NAME=value`. */
  readonly environment: readonly string[]
  /** Absolute; `/` when the image says nothing. */
  readonly workingDirectory: string
  /** `name`, `uid`, `uid:gid`; empty for root. */
  readonly user: string
}

/** What a whole configuration says. */
export interface ParsedConfig {
  readonly config: ImageConfig
  /** Digests of the unpacked layers, bottom first. */
  readonly diffIds: readonly string[]
  readonly platform: Platform
}

/** All that is read of manifests, indexes and configurations. */
export const MAX_DOCUMENT = 4 * 1024 * 1024

const MAX_LAYERS = 128
const MAX_ENTRIES = 512
const MAX_STRINGS = 4096
/** The largest blob that a manifest may announce: beyond any disk, within exact numbers. */
const MAX_BLOB = 2 ** 50

const INDEX_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json'
])

const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json'
])

/** What is asked for, best first. */
export const ACCEPTED_MANIFESTS = [...MANIFEST_TYPES, ...INDEX_TYPES].join(', ')

/**
 * Reads a manifest or an index.
 *
 * @throws ImageRefusedError naming the member that is wrong.
 */
export function parseManifest(body: Uint8Array, contentType: string): Manifest | ManifestIndex {
  const document = parseDocument(body, 'the manifest')
  const { mediaType = contentType.split(';')[0]?.trim() ?? '', schemaVersion } = document
  if (schemaVersion !== 2) throw new ImageRefusedError('the manifest is not of schema version 2')
  if (typeof mediaType === 'string' && INDEX_TYPES.has(mediaType)) return parseIndex(document)
  if (typeof mediaType === 'string' && MANIFEST_TYPES.has(mediaType)) return parseImage(document)
  throw new ImageRefusedError(`${JSON.stringify(mediaType).slice(0, 200)} is not a kind of manifest that is supported`)
}

function parseIndex(document: JsonObject): ManifestIndex {
  const entries = listOf(document['manifests'], 'manifests', MAX_ENTRIES)
  return {
    type: 'index',
    entries: entries.map((entry, index) => ({
      ...parseDescriptor(entry, `manifests.${index}`),
      platform: isJsonObject(entry) && isJsonObject(entry['platform']) ? parsePlatform(entry['platform']) : undefined
    }))
  }
}

function parseImage(document: JsonObject): Manifest {
  const layers = listOf(document['layers'], 'layers', MAX_LAYERS)
  const { artifactType } = document
  return {
    type: 'image',
    artifactType: typeof artifactType === 'string' ? artifactType : undefined,
    config: parseDescriptor(document['config'], 'config'),
    layers: layers.map((layer, index) => parseDescriptor(layer, `layers.${index}`))
  }
}

/** The platform of this machine, in Go's words. */
export function machinePlatform(): { readonly os: string; readonly architecture: string } {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }
  return { os: 'linux', architecture: names[process.arch] ?? process.arch }
}

/** @throws ImageNotFoundError listing the platforms that there are. */
export function choosePlatform({ entries }: ManifestIndex, name: string): Descriptor {
  const { os, architecture } = machinePlatform()
  const fitting = entries.filter(({ platform }) => platform?.os === os && platform.architecture === architecture)
  const [found] = fitting.length > 0 ? fitting : entries.filter(({ platform }) => platform === undefined)
  if (found !== undefined) return found
  const offered = entries.slice(0, 20).map(({ platform }) => `${platform?.os}/${platform?.architecture}`)
  const list = offered.length === 0 ? 'nothing' : offered.join(', ')
  throw new ImageNotFoundError(`${name} is not made for ${os}/${architecture}, only for ${list}`)
}

/**
 * Reads the configuration of an image.
 *
 * @throws ImageRefusedError naming the member that is wrong, or when it is made for another platform.
 */
export function parseConfig(body: Uint8Array, layers: number): ParsedConfig {
  const document = parseDocument(body, 'the configuration')
  const platform = parsePlatform(document)
  const machine = machinePlatform()
  if (platform.os !== machine.os || (platform.architecture !== machine.architecture && platform.architecture !== '')) {
    throw new ImageRefusedError(
      `the image is made for ${platform.os}/${platform.architecture}, this machine is ${machine.os}/${machine.architecture}`
    )
  }
  const rootfs = document['rootfs']
  const diffIds = listOf(isJsonObject(rootfs) ? rootfs['diff_ids'] : undefined, 'rootfs.diff_ids', MAX_LAYERS)
  if (diffIds.length !== layers) {
    throw new ImageRefusedError(`the manifest has ${layers} layers, the configuration ${diffIds.length}`)
  }
  const config = document['config']
  return { config: parseRunConfig(isJsonObject(config) ? config : {}), diffIds: diffIds.map(digestOf), platform }
}

function parseRunConfig(config: JsonObject): ImageConfig {
  const workingDirectory = textOf(config['WorkingDir'], 'config.WorkingDir')
  return {
    entrypoint: stringsOf(config['Entrypoint'], 'config.Entrypoint'),
    cmd: stringsOf(config['Cmd'], 'config.Cmd'),
    environment: stringsOf(config['Env'], 'config.Env').filter((variable) => variable.indexOf('=') > 0),
    workingDirectory: workingDirectory.startsWith('/') ? workingDirectory : '/',
    user: textOf(config['User'], 'config.User')
  }
}

type JsonObject = { readonly [name: string]: JsonValue }

function parseDocument(body: Uint8Array, what: string): JsonObject {
  const parsed = parseJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'))
  if (parsed.ok && isJsonObject(parsed.value)) return parsed.value
  throw new ImageRefusedError(parsed.ok ? `${what} is not a JSON object` : `${what}: ${parsed.error.message}`)
}

function parsePlatform(value: JsonObject): Platform {
  const { os, architecture, variant } = value
  return {
    os: typeof os === 'string' ? os.slice(0, 64) : '',
    architecture: typeof architecture === 'string' ? architecture.slice(0, 64) : '',
    variant: typeof variant === 'string' ? variant.slice(0, 64) : undefined
  }
}

function parseDescriptor(value: JsonValue | undefined, path: string): Descriptor {
  if (!isJsonObject(value)) throw new ImageRefusedError(`${path} is missing`)
  const { mediaType, digest } = value
  const size = Number(value['size'])
  if (typeof mediaType !== 'string' || mediaType.length > 255) throw new ImageRefusedError(`${path}.mediaType is not a text`)
  if (!Number.isSafeInteger(size) || size < 0 || size > MAX_BLOB) throw new ImageRefusedError(`${path}.size is not a size`)
  return { mediaType, digest: digestOf(digest), size }
}

function digestOf(value: JsonValue | undefined): string {
  if (typeof value === 'string' && isImageDigest(value)) return value
  throw new ImageRefusedError(`${JSON.stringify(value ?? null).slice(0, 100)} is not a digest: sha256: and 64 hex digits`)
}

function listOf(value: JsonValue | undefined, path: string, most: number): readonly JsonValue[] {
  if (!Array.isArray(value)) throw new ImageRefusedError(`${path} is not a list`)
  if (value.length > most) throw new ImageRefusedError(`${path} has ${value.length} members; at most ${most} are accepted`)
  return value as readonly JsonValue[]
}

function stringsOf(value: JsonValue | undefined, path: string): readonly string[] {
  if (value === undefined || value === null) return []
  return listOf(value, path, MAX_STRINGS).map((text) => textOf(text, path))
}

function textOf(value: JsonValue | undefined, path: string): string {
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string' || value.includes('\0')) throw new ImageRefusedError(`${path} is not a text without NUL`)
  return value
}
