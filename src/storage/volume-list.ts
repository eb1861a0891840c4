import { normalize } from 'node:path'
import { isJsonObject, type JsonValue } from '../base/index.ts'
import { StorageBadSpecError } from './errors.ts'
import { OUTPUTS } from './outputs.ts'
import { flag, requiredText } from './spec.ts'
import type { VolumeProvider } from './volume.ts'

/** More volumes than this in one allocation are refused. */
const MAX_VOLUMES = 32
const MAX_TARGET = 1024
/** What jobs need from the kernel is not hidden behind volumes. */
const RESERVED = /^\/(?:proc|sys|dev)(?:\/|$)/

/** One volume of an ensemble, read. */
export interface ParsedVolume {
  readonly provider: VolumeProvider
  readonly target: string
  readonly isReadOnly: boolean
  readonly spec: JsonValue
}

/** @throws StorageBadSpecError naming the volume and its field. */
export function parseVolumes(volumes: readonly JsonValue[], kinds: ReadonlyMap<string, VolumeProvider>): readonly ParsedVolume[] {
  if (volumes.length > MAX_VOLUMES) throw new StorageBadSpecError('volume', `has ${volumes.length} items, at most ${MAX_VOLUMES}`)
  const parsed = volumes.map((volume, index) => named(index, () => parseVolume(volume, kinds)))
  for (const [index, { target }] of parsed.entries()) {
    if (parsed.findIndex((other) => other.target === target) === index) continue
    throw new StorageBadSpecError(`volume.${index}.mount_destination`, `${target} is that of another volume`)
  }
  const second = parsed.findIndex(({ provider }, index) => provider.kind === OUTPUTS && outputsIn(parsed) < index)
  if (second !== -1) throw new StorageBadSpecError(`volume.${second}.type`, 'a job has one directory for its outputs')
  return parsed
}

/** Where in the list the volume for outputs is; -1: there is none. */
export function outputsIn(parsed: readonly ParsedVolume[]): number {
  return parsed.findIndex(({ provider }) => provider.kind === OUTPUTS)
}

function parseVolume(volume: JsonValue, kinds: ReadonlyMap<string, VolumeProvider>): ParsedVolume {
  if (!isJsonObject(volume)) throw new StorageBadSpecError('type', 'a volume must be a map')
  const { type: _type, mount_destination: _target, read_only: _readOnly, ...spec } = volume
  const kind = requiredText(volume, 'type')
  const provider = kinds.get(kind)
  if (provider === undefined)
    throw new StorageBadSpecError('type', `${JSON.stringify(kind)} is not one of ${[...kinds.keys()].join(', ')}`)
  const target = requiredText(volume, 'mount_destination')
  const isNormal = target.startsWith('/') && normalize(target) === target && !target.endsWith('/') && target.length <= MAX_TARGET
  if (!isNormal) {
    throw new StorageBadSpecError('mount_destination', `${JSON.stringify(target)} must be absolute, without ".", ".." or "//"`)
  }
  if (RESERVED.test(target)) throw new StorageBadSpecError('mount_destination', 'must not be /proc, /sys, /dev or below')
  const isReadOnly = flag(volume, 'read_only')
  provider.check(spec)
  return { provider, target, isReadOnly, spec }
}

/** Runs `work` so that a refusal names the volume: `volume.1.src`. */
function named<T>(index: number, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof StorageBadSpecError)) throw error
    throw error.below(`volume.${index}`)
  }
}
