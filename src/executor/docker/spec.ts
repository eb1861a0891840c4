import { isIP } from 'node:net'
import { createSecret, isJsonObject, mebibytes, type Secret } from '../../base/index.ts'
import { ExecutorBadSpecError, ExecutorNotPermittedError } from '../errors.ts'
import type { ExecutorFeatures, Workload } from '../executor.ts'
import { checkPreparation, isNormal } from '../preparation.ts'
import {
  checkFeatures,
  checkLimits,
  environment,
  flag,
  optionalText,
  optionalTexts,
  type SpecFields,
  specFields
} from '../spec.ts'
import { type ImageReference, parseImageReference } from './reference.ts'

/** What to run, checked. */
export interface DockerSpec {
  readonly image: ImageReference
  readonly entrypoint: readonly string[] | undefined
  readonly cmd: readonly string[] | undefined
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  readonly workingDirectory: string | undefined
  readonly user: string | undefined
  readonly privileged: boolean
  readonly registryAuth: RegistryAuth | undefined
}

/** Credentials of a registry. */
export interface RegistryAuth {
  readonly username: string
  readonly password: Secret
}

const FIELDS: readonly string[] = [
  'image',
  'entrypoint',
  'cmd',
  'environment',
  'working_directory',
  'privileged',
  'user',
  'restart_policy',
  'registry_auth'
]
const RESTART_POLICIES: readonly string[] = ['no', 'on-failure', 'always', 'unless-stopped']
/** What containers can have. */
export const DOCKER_FEATURES: ExecutorFeatures = Object.freeze({
  ports: true,
  mounts: true,
  files: true,
  scripts: true,
  gpus: true,
  exec: true
})

/** Docker refuses less. */
const LEAST_MEMORY = mebibytes(6)
const LEAST_CORES = 0.01

/**
 * Reads `execution` of an allocation with `executor: docker` (C §7.5).
 *
 * `restart_policy` is checked and not used: whether a workload runs again is decided by the allocation.
 *
 * @throws ExecutorBadSpecError naming the field.
 * @throws ExecutorNotPermittedError for `privileged` where the owner does not allow it.
 */
export function parseDockerSpec(workload: Workload): DockerSpec {
  const fields = specFields(workload, FIELDS)
  checkMachine(workload)
  const policy = optionalText(fields, 'restart_policy')
  if (policy !== undefined && !RESTART_POLICIES.includes(policy)) {
    throw new ExecutorBadSpecError('restart_policy', `must be one of ${RESTART_POLICIES.join(', ')}`)
  }
  return {
    image: readImage(fields),
    entrypoint: optionalTexts(fields, 'entrypoint'),
    cmd: optionalTexts(fields, 'cmd'),
    environment: environment(fields),
    workingDirectory: readWorkingDirectory(fields),
    user: optionalText(fields, 'user'),
    privileged: readPrivileged(fields, workload),
    registryAuth: readRegistryAuth(fields)
  }
}

function readImage(fields: SpecFields): ImageReference {
  const text = optionalText(fields, 'image')
  if (text === undefined) throw new ExecutorBadSpecError('image', 'is missing: [registry[:port]/]path[:tag][@digest]')
  const image = parseImageReference(text)
  if (!image.ok) throw new ExecutorBadSpecError('image', image.error)
  return image.value
}

function readWorkingDirectory(fields: SpecFields): string | undefined {
  const path = optionalText(fields, 'working_directory')
  if (path !== undefined && !path.startsWith('/')) throw new ExecutorBadSpecError('working_directory', 'must be absolute')
  return path
}

function readPrivileged(fields: SpecFields, workload: Workload): boolean {
  const privileged = flag(fields, 'privileged')
  if (privileged && !workload.allowPrivileged) {
    throw new ExecutorNotPermittedError('privileged: the owner of this machine does not allow privileged containers')
  }
  return privileged
}

function readRegistryAuth(fields: SpecFields): RegistryAuth | undefined {
  const auth = fields['registry_auth']
  if (auth === undefined || auth === null) return undefined
  if (!isJsonObject(auth)) throw new ExecutorBadSpecError('registry_auth', 'must be a map with username and password')
  const { username, password } = auth
  if (typeof username !== 'string') throw new ExecutorBadSpecError('registry_auth.username', 'must be a text')
  if (typeof password !== 'string') throw new ExecutorBadSpecError('registry_auth.password', 'must be a text')
  return { username, password: createSecret(password) }
}

function checkMachine(workload: Workload): void {
  checkLimits(workload)
  checkFeatures('docker', DOCKER_FEATURES, workload)
  checkPreparation(workload)
  const { limits, ports, mounts = [], gpus = [] } = workload
  for (const [index, { source, target }] of mounts.entries()) {
    if (!isNormal(source) || !isNormal(target))
      throw new ExecutorBadSpecError(`mounts.${index}`, 'must have absolute, normal paths')
  }
  for (const [index, { vendor, uuid }] of gpus.entries()) {
    if (vendor === 'nvidia' && !/^(GPU|MIG)-[0-9a-fA-F-]{1,64}$/.test(uuid ?? '')) {
      throw new ExecutorBadSpecError(`gpus.${index}.uuid`, 'must be that of a card of NVIDIA')
    }
  }
  if (limits.memory < LEAST_MEMORY) throw new ExecutorBadSpecError('limits.memory', `must be at least ${LEAST_MEMORY} bytes`)
  if (limits.cpuCores < LEAST_CORES) throw new ExecutorBadSpecError('limits.cpuCores', `must be at least ${LEAST_CORES}`)
  for (const [index, { hostAddress, hostPort, port }] of ports.entries()) {
    if (isIP(hostAddress) === 0) throw new ExecutorBadSpecError(`ports.${index}.hostAddress`, 'must be an IP address')
    if (!isPort(hostPort)) throw new ExecutorBadSpecError(`ports.${index}.hostPort`, 'must be from 1 to 65535')
    if (!isPort(port)) throw new ExecutorBadSpecError(`ports.${index}.port`, 'must be from 1 to 65535')
  }
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65_535
}
