import { createSecret, isJsonObject, mebibytes, type Secret } from '../../base/index.ts'
import { ExecutorBadSpecError, ExecutorUnsupportedError } from '../errors.ts'
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

/** What to run, checked. */
export interface OciSpec {
  readonly image: string
  readonly entrypoint: readonly string[] | undefined
  readonly cmd: readonly string[] | undefined
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  readonly workingDirectory: string | undefined
  /** `name`, `uid`, either with `:group`; that of the image without. */
  readonly user: string | undefined
  readonly isReadOnly: boolean
  readonly registryAuth: { readonly username: string; readonly password: Secret } | undefined
}

const FIELDS: readonly string[] = [
  'image',
  'entrypoint',
  'cmd',
  'environment',
  'working_directory',
  'user',
  'read_only',
  'registry_auth',
  'runtime'
]

/** What these containers can have. */
export const OCI_FEATURES: ExecutorFeatures = Object.freeze({
  ports: false,
  mounts: true,
  files: true,
  scripts: true,
  gpus: true,
  exec: true
})

const LEAST_MEMORY = mebibytes(8)
/** A file system with less has no room for anything. */
const LEAST_DISK = mebibytes(4)

/**
 * Reads `execution` of an allocation with `executor: oci`, or `containerd` (C §7.5).
 *
 * @throws ExecutorBadSpecError naming the field.
 * @throws ExecutorUnsupportedError for what these containers do not have.
 */
export function parseOciSpec(workload: Workload): OciSpec {
  const fields = specFields(workload, FIELDS)
  checkLimits(workload)
  checkFeatures('oci', OCI_FEATURES, workload)
  checkPreparation(workload)
  checkMachine(workload)
  const runtime = optionalText(fields, 'runtime')
  if (runtime === 'kata') throw new ExecutorUnsupportedError('runtime: kata is not here; micro-VMs are the executor microvm')
  if (runtime !== undefined && !['', 'runc', 'crun'].includes(runtime)) {
    throw new ExecutorBadSpecError('runtime', 'must be runc, or left out')
  }
  const image = optionalText(fields, 'image')
  if (image === undefined || image === '') {
    throw new ExecutorBadSpecError('image', 'is missing: [registry[:port]/]path[:tag][@digest]')
  }
  return {
    image,
    entrypoint: optionalTexts(fields, 'entrypoint'),
    cmd: optionalTexts(fields, 'cmd'),
    environment: environment(fields),
    workingDirectory: readWorkingDirectory(fields),
    user: optionalText(fields, 'user'),
    isReadOnly: flag(fields, 'read_only'),
    registryAuth: readRegistryAuth(fields)
  }
}

function checkMachine({ limits, mounts = [], gpus = [] }: Workload): void {
  for (const [index, { source, target }] of mounts.entries()) {
    if (!isNormal(source) || !isNormal(target)) {
      throw new ExecutorBadSpecError(`mounts.${index}`, 'must have absolute, normal paths')
    }
  }
  for (const [index, { vendor, devices }] of gpus.entries()) {
    if (vendor === 'nvidia') throw new ExecutorUnsupportedError('cards of NVIDIA are given to containers of Docker only')
    if (devices.length === 0) throw new ExecutorBadSpecError(`gpus.${index}.devices`, 'must name at least one device')
  }
  if (limits.memory < LEAST_MEMORY) throw new ExecutorBadSpecError('limits.memory', `must be at least ${LEAST_MEMORY} bytes`)
  if (limits.disk < LEAST_DISK) throw new ExecutorBadSpecError('limits.disk', `must be at least ${LEAST_DISK} bytes`)
}

function readWorkingDirectory(fields: SpecFields): string | undefined {
  const path = optionalText(fields, 'working_directory')
  if (path !== undefined && !path.startsWith('/')) throw new ExecutorBadSpecError('working_directory', 'must be absolute')
  return path
}

function readRegistryAuth(fields: SpecFields): OciSpec['registryAuth'] {
  const auth = fields['registry_auth']
  if (auth === undefined || auth === null) return undefined
  if (!isJsonObject(auth)) throw new ExecutorBadSpecError('registry_auth', 'must be a map with username and password')
  const { username, password } = auth
  if (typeof username !== 'string') throw new ExecutorBadSpecError('registry_auth.username', 'must be a text')
  if (typeof password !== 'string') throw new ExecutorBadSpecError('registry_auth.password', 'must be a text')
  return { username, password: createSecret(password) }
}
