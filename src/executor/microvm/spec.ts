import { createSecret, isJsonObject, mebibytes, type Secret } from '../../base/index.ts'
import { ExecutorBadSpecError } from '../errors.ts'
import type { ExecutorFeatures, Workload } from '../executor.ts'
import { checkPreparation, isNormal } from '../preparation.ts'
import { checkFeatures, checkLimits, environment, optionalText, optionalTexts, type SpecFields, specFields } from '../spec.ts'

/** What a machine's root file system is made of. */
export type RootSource =
  /** Nothing: busybox in memory. */
  | { readonly type: 'none' }
  /** A block image below the directory of images. */
  | { readonly type: 'file'; readonly path: string }
  /** An image of a registry. */
  | { readonly type: 'image'; readonly reference: string; readonly auth?: RegistryLogin }

/** A login at a registry. */
export interface RegistryLogin {
  readonly username: string
  readonly password: Secret
}

/** What to run, checked. */
export interface MicrovmSpec {
  /** Below the directory of images; `undefined`: the one that the owner prepared. */
  readonly kernel: string | undefined
  readonly root: RootSource
  /** Block images that the machine sees besides its root, in this order. */
  readonly drives: readonly string[]
  /** Added to those that the machine needs. */
  readonly kernelArguments: string | undefined
  /** What the machine finds in `/run/nunet-metadata`. */
  readonly metadata: string | undefined
  /** `undefined`: that of the image, or else the root's own `/sbin/init`. */
  readonly command: readonly string[] | undefined
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  readonly workingDirectory: string | undefined
}

/** What machines can have. */
export const MICROVM_FEATURES: ExecutorFeatures = Object.freeze({
  ports: false,
  mounts: false,
  files: true,
  scripts: true,
  gpus: false,
  exec: true
})

const FIELDS: readonly string[] = [
  'engine',
  'kernel_image',
  'root_file_system',
  'image',
  'registry_auth',
  'drives',
  'kernel_args',
  'initrd',
  'mmds_message',
  'command',
  'environment',
  'working_directory'
]
/** The owner's kernel, and a root of busybox alone. */
const PREPARED = 'default'
/** In less, the kernel of Debian does not start (tried). */
const LEAST_MEMORY = mebibytes(96)
const MOST_CORES = 64
const MOST_DRIVES = 8
const MOST_METADATA = 65_536
/** x86 Linux takes 2048 bytes, ours and theirs. */
const MOST_ARGUMENTS = 1024
const MOST_REFERENCE = 512
const IMAGE_PATH = /^(?!.*(?:^|\/)\.\.?(?:\/|$))[a-zA-Z0-9_][a-zA-Z0-9_.+/-]{0,254}$/

/**
 * Reads `execution` of an allocation with `executor: firecracker` or `microvm` (C §7.5; `engine`, `image`, `registry_auth`, `drives`,
 * `command`, `environment` and `working_directory` are ours).
 *
 * @throws ExecutorBadSpecError naming the field.
 */
export function parseMicrovmSpec(workload: Workload): MicrovmSpec {
  const fields = specFields(workload, FIELDS)
  checkLimits(workload)
  checkFeatures('microvm', MICROVM_FEATURES, workload)
  checkPreparation(workload)
  checkMachine(workload)
  checkEngine(fields)
  const root = readRoot(fields)
  const command = readCommand(fields)
  if (command === undefined && root.type === 'none') {
    throw new ExecutorBadSpecError(
      'command',
      'is missing: a machine without root_file_system and image has no program of its own'
    )
  }
  return {
    kernel: imagePath(fields, 'kernel_image'),
    root,
    drives: readDrives(fields),
    kernelArguments: readArguments(fields),
    metadata: bounded(fields, 'mmds_message', MOST_METADATA),
    command,
    environment: environment(fields),
    workingDirectory: readDirectory(fields)
  }
}

function checkMachine({ limits }: Workload): void {
  if (limits.memory < LEAST_MEMORY) throw new ExecutorBadSpecError('limits.memory', `must be at least ${LEAST_MEMORY} bytes`)
  if (limits.cpuCores > MOST_CORES) throw new ExecutorBadSpecError('limits.cpuCores', `must be at most ${MOST_CORES}`)
}

function checkEngine(fields: SpecFields): void {
  const engine = optionalText(fields, 'engine') ?? 'auto'
  if (engine === 'firecracker')
    throw new ExecutorBadSpecError('engine', 'must be auto or qemu: this version starts no Firecracker')
  if (engine !== 'auto' && engine !== 'qemu') throw new ExecutorBadSpecError('engine', 'must be auto or qemu')
  if (fields['initrd'] !== undefined && fields['initrd'] !== null) {
    throw new ExecutorBadSpecError(
      'initrd',
      'cannot be chosen: the first program of a machine is the provider’s, it tells how the job ended'
    )
  }
}

function readRoot(fields: SpecFields): RootSource {
  const file = imagePath(fields, 'root_file_system')
  const reference = bounded(fields, 'image', MOST_REFERENCE)
  if (file !== undefined && reference !== undefined) {
    throw new ExecutorBadSpecError('image', 'stands beside root_file_system: a machine has one root')
  }
  const auth = fields['registry_auth']
  if (reference === undefined) {
    if (auth !== undefined && auth !== null) throw new ExecutorBadSpecError('registry_auth', 'is only for an image')
    return file === undefined ? { type: 'none' } : { type: 'file', path: file }
  }
  if (reference === '') throw new ExecutorBadSpecError('image', 'must not be empty')
  if (auth === undefined || auth === null) return { type: 'image', reference }
  const { username, password } = isJsonObject(auth) ? auth : {}
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new ExecutorBadSpecError('registry_auth', 'must be a map with username and password')
  }
  return { type: 'image', reference, auth: { username, password: createSecret(password) } }
}

function readCommand(fields: SpecFields): readonly string[] | undefined {
  const command = optionalTexts(fields, 'command')
  if (command === undefined || command.length === 0) return undefined
  if (command[0] === '') throw new ExecutorBadSpecError('command.0', 'must not be empty')
  return command
}

function readDrives(fields: SpecFields): readonly string[] {
  const drives = optionalTexts(fields, 'drives') ?? []
  if (drives.length > MOST_DRIVES) throw new ExecutorBadSpecError('drives', `are more than ${MOST_DRIVES}`)
  return drives.map((drive, index) => checkedPath(drive, `drives.${index}`))
}

function readArguments(fields: SpecFields): string | undefined {
  const text = bounded(fields, 'kernel_args', MOST_ARGUMENTS)
  if (text !== undefined && !/^[\x20-\x7e]*$/.test(text)) {
    throw new ExecutorBadSpecError('kernel_args', 'must be printable ASCII in one line')
  }
  return text
}

function readDirectory(fields: SpecFields): string | undefined {
  const directory = optionalText(fields, 'working_directory')
  if (directory !== undefined && directory !== '/' && !isNormal(directory)) {
    throw new ExecutorBadSpecError('working_directory', 'must be absolute, without ".", ".." and "//"')
  }
  return directory
}

/** `undefined` for the word that means what the owner prepared. */
function imagePath(fields: SpecFields, field: string): string | undefined {
  const path = optionalText(fields, field)
  return path === undefined || path === PREPARED ? undefined : checkedPath(path, field)
}

/** Never a path of the provider: the name of something below the directory that its owner made for this. */
function checkedPath(path: string, field: string): string {
  if (!IMAGE_PATH.test(path)) {
    throw new ExecutorBadSpecError(
      field,
      `must be ${PREPARED}, or a path below the directory in which the provider keeps images of machines, as debian/root.ext4`
    )
  }
  return path
}

function bounded(fields: SpecFields, field: string, most: number): string | undefined {
  const text = optionalText(fields, field)
  if (text !== undefined && Buffer.byteLength(text) > most) throw new ExecutorBadSpecError(field, `is larger than ${most} bytes`)
  return text
}
