import { posix } from 'node:path'
import { type Bytes, createSecret, decodeBase64, isJsonObject, type Millis, millis, type Secret } from '../../base/index.ts'
import { ExecutorBadSpecError } from '../errors.ts'
import type { ExecutorFeatures, Workload } from '../executor.ts'
import {
  checkFeatures,
  checkLimits,
  environment,
  optionalInteger,
  optionalText,
  optionalTexts,
  type SpecFields,
  specFields
} from '../spec.ts'

/** Where the module comes from. */
export type ModuleSource =
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  /** An artefact of a registry. */
  | { readonly type: 'artifact'; readonly reference: string; readonly auth?: RegistryLogin }
  /** A file below a mount, both on this machine. */
  | { readonly type: 'file'; readonly mount: string; readonly path: string }

/** A login at a registry. */
export interface RegistryLogin {
  readonly username: string
  readonly password: Secret
}

/** What to run, checked. */
export interface WasmSpec {
  readonly source: ModuleSource
  /** Arguments after the program's name. */
  readonly args: readonly string[]
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  /** Wall-clock limit; `undefined`: none. */
  readonly timeout: Millis | undefined
  /** Limit of the time on processors; `undefined`: none. */
  readonly cpuTime: Millis | undefined
}

/** What modules can have. */
export const WASM_FEATURES: ExecutorFeatures = Object.freeze({
  ports: false,
  mounts: true,
  files: true,
  scripts: false,
  gpus: false,
  exec: false
})

const FIELDS: readonly string[] = [
  'module',
  'image',
  'registry_auth',
  'module_path',
  'args',
  'environment',
  'timeout',
  'cpu_time'
]
/** `\0asm` and version 1: a component (another version) is not a WASI preview 1 module. */
const HEADER: readonly number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
const WASM_PAGE = 65_536
const MAX_TIMEOUT_SECONDS = 31_536_000
const MAX_REFERENCE = 512

/**
 * Reads `execution` of an allocation with `executor: wasm`.
 *
 * One of `module` (base64 of a WASI preview 1 module of at most `maxModule` bytes), `image` (an artefact of a registry, with
 * `registry_auth`) and `module_path` (a file below a mount); `args`, `environment` (list or map), `timeout` and `cpu_time` (whole
 * seconds) are optional. Only the header of a module is looked at: compiling is left to its own process.
 *
 * @throws ExecutorBadSpecError naming the field.
 */
export function parseWasmSpec(workload: Workload, maxModule: Bytes): WasmSpec {
  const fields = specFields(workload, FIELDS)
  checkLimits(workload)
  if (workload.ports.length > 0) throw new ExecutorBadSpecError('ports', 'a WASI module cannot listen on ports')
  if ((workload.scripts ?? []).length > 0) throw new ExecutorBadSpecError('scripts', 'a WASI module has no shell to run them')
  checkFeatures('wasm', WASM_FEATURES, workload)
  checkPlaces(workload)
  if (workload.limits.memory < WASM_PAGE) throw new ExecutorBadSpecError('limits.memory', `must be at least ${WASM_PAGE} bytes`)
  return {
    source: readSource(fields, workload, maxModule),
    args: optionalTexts(fields, 'args') ?? [],
    environment: environment(fields),
    timeout: readSeconds(fields, 'timeout'),
    cpuTime: readSeconds(fields, 'cpu_time')
  }
}

/** @throws ExecutorBadSpecError when the bytes do not begin like a module. */
export function checkModule(field: string, module: Uint8Array): void {
  if (HEADER.some((byte, index) => module[index] !== byte)) {
    throw new ExecutorBadSpecError(field, 'is not a WebAssembly module (version 1)')
  }
}

function readSeconds(fields: SpecFields, field: string): Millis | undefined {
  const value = optionalInteger(fields, field, 1, MAX_TIMEOUT_SECONDS)
  return value === undefined ? undefined : millis(value * 1000)
}

function readSource(fields: SpecFields, workload: Workload, maxModule: Bytes): ModuleSource {
  const given = ['module', 'image', 'module_path'].filter((field) => fields[field] !== undefined && fields[field] !== null)
  if (given.length > 1) throw new ExecutorBadSpecError(given[1] ?? '', `stands beside ${given[0]}: a module has one source`)
  if (given[0] === 'image') return readArtifact(fields)
  if (fields['registry_auth'] !== undefined) throw new ExecutorBadSpecError('registry_auth', 'is only for an image')
  if (given[0] === 'module_path') return readPath(fields, workload)
  return { type: 'bytes', bytes: readModule(fields, maxModule) }
}

function readModule(fields: SpecFields, maxModule: Bytes): Uint8Array {
  const encoded = fields['module']
  if (typeof encoded !== 'string') {
    throw new ExecutorBadSpecError(
      'module',
      'must be the base64 text of a WebAssembly module, unless image or module_path has it'
    )
  }
  if (encoded.length > Math.ceil(maxModule / 3) * 4) throw new ExecutorBadSpecError('module', `is larger than ${maxModule} bytes`)
  const decoded = decodeBase64(encoded)
  if (!decoded.ok) throw new ExecutorBadSpecError('module', decoded.error)
  checkModule('module', decoded.value)
  return decoded.value
}

function readArtifact(fields: SpecFields): ModuleSource {
  const reference = optionalText(fields, 'image') ?? ''
  if (reference === '' || reference.length > MAX_REFERENCE) {
    throw new ExecutorBadSpecError('image', `must be the reference of an artefact of at most ${MAX_REFERENCE} characters`)
  }
  const auth = fields['registry_auth']
  if (auth === undefined || auth === null) return { type: 'artifact', reference }
  const { username, password } = isJsonObject(auth) ? auth : {}
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new ExecutorBadSpecError('registry_auth', 'must be a map with username and password')
  }
  return { type: 'artifact', reference, auth: { username, password: createSecret(password) } }
}

/** A check before anything is mounted knows no mounts; the start then refuses what is not below one. */
function readPath(fields: SpecFields, { mounts }: Workload): ModuleSource {
  const path = optionalText(fields, 'module_path') ?? ''
  if (!isNormal(path)) throw new ExecutorBadSpecError('module_path', 'must be absolute, without ".", ".." and "//"')
  if (mounts === undefined) return { type: 'file', mount: '', path }
  const mount = mounts.find(({ target }) => path === target || path.startsWith(`${target}/`))
  if (mount === undefined)
    throw new ExecutorBadSpecError('module_path', `${JSON.stringify(path)} is not below a volume of the job`)
  return { type: 'file', mount: mount.source, path: `${mount.source}${path.slice(mount.target.length)}` }
}

/** What is put inside must not lie where something else is. */
function checkPlaces({ mounts = [], files = [] }: Workload): void {
  for (const [index, { source, target }] of mounts.entries()) {
    if (!isNormal(source) || !isNormal(target))
      throw new ExecutorBadSpecError(`mounts.${index}`, 'must have absolute, normal paths')
    const other = mounts.find((candidate, at) => at < index && isWithin(target, candidate.target))
    if (other !== undefined) throw new ExecutorBadSpecError(`mounts.${index}`, `lies within the one at ${other.target}`)
  }
  for (const [index, { path, mode }] of files.entries()) {
    if (!isNormal(path)) throw new ExecutorBadSpecError(`files.${index}.path`, 'must be absolute, without ".", ".." and "//"')
    if (mounts.some(({ target }) => isWithin(path, target)))
      throw new ExecutorBadSpecError(`files.${index}.path`, 'lies within a mount')
    if (!Number.isInteger(mode) || mode < 0 || mode > 0o777)
      throw new ExecutorBadSpecError(`files.${index}.mode`, 'must be 0 to 0777')
  }
}

function isWithin(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}/`) || above.startsWith(`${path}/`)
}

function isNormal(path: string): boolean {
  return path.startsWith('/') && path !== '/' && !path.endsWith('/') && !path.includes('\0') && posix.normalize(path) === path
}
