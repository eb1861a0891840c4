import { isImageDigest, isJsonObject, type JsonValue } from '../base/index.ts'
import type { ImageConfig } from './manifest.ts'

/** What the store knows of an image or an artefact that is whole. */
export interface ImageRecord {
  readonly kind: 'image' | 'artifact'
  /** Of the manifest. */
  readonly digest: string
  /** Digests that lead here: that of the manifest, and of indexes that it was chosen from. */
  readonly aliases: readonly string[]
  /** Names under which it was fetched, newest first. */
  readonly references: readonly string[]
  readonly layers: readonly LayerEntry[]
  readonly config: ImageConfig
  /** Whether the registry gave it only for credentials. */
  readonly isPrivate: boolean
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number
  readonly usedAt: number
}

/** One layer, bottom first; of an artefact, its only blob. */
export interface LayerEntry {
  /** Of the blob as the registry has it. */
  readonly blob: string
  readonly mediaType: string
  /** Of the unpacked archive; empty for an artefact. */
  readonly diffId: string
  /** On the disk here. */
  readonly bytes: number
}

/** What a workload uses, so that it is not removed. */
export interface Lease {
  readonly workloadId: string
  /** Of manifests. */
  readonly digests: readonly string[]
}

/** Names of one image that are kept. */
const MAX_REFERENCES = 16

/** Puts a name first among those of a record. */
export function withReference(references: readonly string[], reference: string): readonly string[] {
  return [reference, ...references.filter((known) => known !== reference)].slice(0, MAX_REFERENCES)
}

/** As JSON. */
export function encodeRecord(record: ImageRecord): JsonValue {
  return { ...record, layers: record.layers.map((layer) => ({ ...layer })), config: { ...record.config } }
}

type JsonObject = { readonly [name: string]: JsonValue }

/** `undefined` for what is damaged: the image is fetched again then. */
export function decodeRecord(value: JsonObject): ImageRecord | undefined {
  const { kind, digest, config, isPrivate, createdAt, usedAt } = value
  if ((kind !== 'image' && kind !== 'artifact') || typeof digest !== 'string' || !isImageDigest(digest)) return undefined
  const layers = listOf(value['layers']).map(decodeLayer)
  if (!isJsonObject(config) || layers.includes(undefined)) return undefined
  return {
    kind,
    digest,
    aliases: stringsOf(value['aliases']),
    references: stringsOf(value['references']),
    layers: layers.filter((layer) => layer !== undefined),
    config: decodeConfig(config),
    isPrivate: isPrivate !== false,
    createdAt: Number(createdAt),
    usedAt: Number(usedAt)
  }
}

function decodeLayer(value: JsonValue): LayerEntry | undefined {
  if (!isJsonObject(value)) return undefined
  const { blob, mediaType, diffId, bytes } = value
  if (typeof blob !== 'string' || !isImageDigest(blob) || typeof mediaType !== 'string') return undefined
  if (typeof diffId !== 'string' || (diffId !== '' && !isImageDigest(diffId))) return undefined
  return { blob, mediaType, diffId, bytes: Number(bytes) }
}

function decodeConfig(config: JsonObject): ImageConfig {
  const { workingDirectory, user } = config
  return {
    entrypoint: stringsOf(config['entrypoint']),
    cmd: stringsOf(config['cmd']),
    environment: stringsOf(config['environment']),
    workingDirectory: typeof workingDirectory === 'string' ? workingDirectory : '/',
    user: typeof user === 'string' ? user : ''
  }
}

/** `undefined` for what is damaged. */
export function decodeLease(value: JsonObject): Lease | undefined {
  const { workloadId } = value
  return typeof workloadId === 'string' ? { workloadId, digests: stringsOf(value['digests']) } : undefined
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : []
}

function stringsOf(value: JsonValue | undefined): readonly string[] {
  return listOf(value).filter((text) => typeof text === 'string')
}
