import { type Clock, DmsError, isJsonObject, type JsonValue, millis } from '../../base/index.ts'
import { createDockerClient } from './client.ts'

/** What a Docker daemon says about itself. */
export type DockerDescription =
  | {
      readonly available: true
      readonly version: string
      /** Such as `overlay2`. */
      readonly storageDriver: string
      /** File system below the storage driver, such as `extfs` or `xfs`; empty where unknown. */
      readonly backingFileSystem: string
      readonly isRootless: boolean
      /** Whether root of a container is another user outside. */
      readonly hasUserNamespaces: boolean
      readonly cgroupVersion: string
    }
  | { readonly available: false; readonly reason: string }

/** A daemon that takes longer is not asked here again. */
const LIMIT = millis(1500)

/** Longest text of the daemon that is passed on. */
const MAX_TEXT = 100

/** Asks a Docker daemon about itself, for a second and a half at most; what cannot be had is a reason, not an error. */
export async function describeDocker(findSocket: () => string, clock: Clock): Promise<DockerDescription> {
  try {
    const client = createDockerClient(findSocket, clock)
    const { status, body } = await client.call({ method: 'GET', path: '/info', limit: LIMIT })
    if (status !== 200 || !isJsonObject(body)) return { available: false, reason: `Docker answers with status ${status}` }
    return describe(body)
  } catch (error) {
    if (error instanceof DmsError) return { available: false, reason: error.message }
    throw error
  }
}

function describe(info: { readonly [name: string]: JsonValue }): DockerDescription {
  const options = Array.isArray(info['SecurityOptions']) ? (info['SecurityOptions'] as readonly JsonValue[]) : []
  const has = (name: string): boolean =>
    options.some((option) => typeof option === 'string' && option.split(',').includes(`name=${name}`))
  return {
    available: true,
    version: textOf(info['ServerVersion']),
    storageDriver: textOf(info['Driver']),
    backingFileSystem: textOf(pairsIn(info['DriverStatus']).get('Backing Filesystem')),
    isRootless: has('rootless'),
    hasUserNamespaces: has('userns'),
    cgroupVersion: textOf(info['CgroupVersion'])
  }
}

function pairsIn(value: JsonValue | undefined): ReadonlyMap<string, JsonValue> {
  const list = Array.isArray(value) ? (value as readonly JsonValue[]) : []
  return new Map(
    list.flatMap((pair) => (Array.isArray(pair) && typeof pair[0] === 'string' ? [[pair[0], pair[1] as JsonValue] as const] : []))
  )
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : ''
}
