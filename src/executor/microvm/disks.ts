import { constants } from 'node:fs'
import { mkdir, realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Bytes, hours } from '../../base/index.ts'
import { ExecutorBadSpecError, ExecutorStartFailedError, ExecutorUnsupportedError } from '../errors.ts'
import type { StartOptions, Workload } from '../executor.ts'
import { type ProgramResult, runProgram } from './programs.ts'
import type { MachineUser } from './qemu.ts'
import { driveFile, placeWhole, type RunFiles } from './run-files.ts'
import type { MicrovmSpec, RegistryLogin } from './spec.ts'

/** Fetches images of registries; satisfied by the image store. */
export interface RootImages {
  /** An unpacked image, kept until {@link RootImages.release}. */
  prepare(reference: string, options: RootImageFetch): Promise<UnpackedImage>
  release(workloadId: string): Promise<void>
}

/** How an image is fetched. */
export interface RootImageFetch extends StartOptions {
  readonly workloadId: string
  readonly auth?: RegistryLogin
  readonly maxBytes: Bytes
}

/** An image, as overlayfs takes it. */
export interface UnpackedImage {
  /** Top first; never written to. */
  readonly lowerDirectories: readonly string[]
  readonly config: {
    readonly entrypoint: readonly string[]
    readonly cmd: readonly string[]
    readonly environment: readonly string[]
    readonly workingDirectory: string
  }
}

/** What making disks needs. */
export interface DiskOptions extends StartOptions {
  /** The only directory from which files are taken. */
  readonly imagesDirectory: string
  readonly images: RootImages | undefined
  /** Whose the disks are. */
  readonly user: MachineUser | undefined
}

/** The disks of a machine, made. */
export interface Disks {
  /** Files in the order in which the machine sees them, by the names that it finds them by. */
  readonly drives: readonly { readonly serial: string; readonly file: string }[]
  /** Of the image that the root was made of. */
  readonly config: UnpackedImage['config'] | undefined
}

const COPY_LIMIT = hours(1)

/**
 * Makes the disks of a machine, each a copy of its own: the root first, where there is one, then the drives. Together they are no larger
 * than `limits.disk`; a root that is made of an image of a registry has what the drives leave.
 *
 * @throws ExecutorBadSpecError for a file that is not there, or too large; ExecutorStartFailedError; errors of the image store.
 */
export async function makeDisks(files: RunFiles, spec: MicrovmSpec, workload: Workload, options: DiskOptions): Promise<Disks> {
  const { root } = spec
  const drives = await Promise.all(
    spec.drives.map(async (path, index) => ({
      serial: `drive${index}`,
      file: driveFile(files, index),
      source: await findImage(options.imagesDirectory, path, `drives.${index}`)
    }))
  )
  const rootFile = root.type === 'file' ? await findImage(options.imagesDirectory, root.path, 'root_file_system') : undefined
  const copies = [...(rootFile ? [{ serial: 'root', file: files.root, source: rootFile }] : []), ...drives]
  const left = workload.limits.disk - copies.reduce((sum, { source }) => sum + source.size, 0)
  if (left < 0) throw new ExecutorBadSpecError('limits.disk', `is ${-left} bytes less than the disks of the machine have`)
  for (const { source, file } of copies) {
    await placeWhole(file, options.user, (path) => copyImage(source.path, path, options))
  }
  const config = root.type === 'image' ? await makeRoot(files.root, root, workload, left, options) : undefined
  return { drives: [...(config ? [{ serial: 'root', file: files.root }] : []), ...copies], config }
}

/** A file below the directory of images. */
export interface FoundImage {
  readonly path: string
  readonly size: number
  readonly mode: number
}

/** @throws ExecutorBadSpecError when there is no such file, or a link leads elsewhere. */
export async function findImage(directory: string, name: string, field: string): Promise<FoundImage> {
  const missing = new ExecutorBadSpecError(field, `the provider keeps no ${JSON.stringify(name)} among its images of machines`)
  const [top, path] = await Promise.all([realpath(directory), realpath(join(directory, name))]).catch(() => {
    throw missing
  })
  if (!path.startsWith(`${top}/`)) throw missing
  const status = await stat(path)
  if (!status.isFile()) throw missing
  return { path, size: status.size, mode: status.mode }
}

/** Whether users without rights can read it. */
export function isPublic({ mode }: FoundImage): boolean {
  return (mode & constants.S_IROTH) !== 0
}

async function copyImage(source: string, target: string, { signal }: StartOptions): Promise<void> {
  const args = ['--reflink=auto', '--sparse=always', '--no-preserve=all', '--', source, target]
  done(
    await runProgram('cp', args, { limit: COPY_LIMIT, ...(signal && { signal }) }),
    'a disk of the machine could not be copied'
  )
}

async function makeRoot(
  target: string,
  { reference, auth }: { readonly reference: string; readonly auth?: RegistryLogin },
  { id, limits }: Workload,
  size: number,
  options: DiskOptions
): Promise<UnpackedImage['config']> {
  const { images, signal, onProgress } = options
  if (images === undefined) throw new ExecutorUnsupportedError('this machine fetches no images from registries')
  try {
    const fetch = { workloadId: id, maxBytes: limits.disk, ...(auth && { auth }), ...(signal && { signal }) }
    const image = await images.prepare(reference, { ...fetch, ...(onProgress && { onProgress }) })
    onProgress?.({ step: 'create' })
    await placeWhole(target, options.user, (path) => exportImage(image.lowerDirectories, path, size, options))
    return image.config
  } finally {
    await images.release(id) // the machine has a copy of its own
  }
}

/** Puts the layers over each other where only the program that reads them sees it, so that no mount can stay behind. */
const MERGE = 'mount -t overlay overlay -o "ro,lowerdir=$1" "$2" && shift 2 && exec mke2fs "$@"'
const MKE2FS: readonly string[] = ['-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-m', '0', '-E', 'root_owner=0:0']

async function exportImage(layers: readonly string[], target: string, size: number, { signal }: StartOptions): Promise<void> {
  const settings = { limit: COPY_LIMIT, ...(signal && { signal }) }
  const blocks = `${Math.floor(size / 1024)}k`
  const failure = 'the root file system could not be made of the image'
  if (layers.length === 1) {
    done(await runProgram('mke2fs', [...MKE2FS, '-d', layers[0] ?? '', target, blocks], settings), failure)
    return
  }
  if (process.getuid?.() !== 0) throw new ExecutorUnsupportedError('images of several layers need a daemon that runs as root')
  const merged = `${target}.merged`
  await mkdir(merged, { recursive: true })
  const lower = layers.map((layer) => basename(layer)).join(':')
  const args = ['-m', '--propagation', 'private', 'sh', '-c', MERGE, 'sh', lower, merged, ...MKE2FS, '-d', merged, target, blocks]
  const result = await runProgram('unshare', args, { ...settings, cwd: dirname(layers[0] ?? '/') })
  await rm(merged, { recursive: true, force: true })
  done(result, failure)
}

function done({ isDone, complaint }: ProgramResult, failure: string): void {
  if (!isDone) throw new ExecutorStartFailedError(`${failure}: ${complaint}`)
}
