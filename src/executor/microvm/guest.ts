import { constants } from 'node:fs'
import { access, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ExecutorUnavailableError } from '../errors.ts'

/** What every machine of this provider boots from: parts of a Linux distribution that its owner unpacked. */
export interface Guest {
  readonly kernel: string
  /** Of the kernel, as `6.1.0-56-cloud-amd64`. */
  readonly version: string
  /** A static busybox. */
  readonly busybox: string
  /** Modules in the order in which they must be loaded; those that the kernel has built in are left out. */
  readonly modules: readonly string[]
}

/** Below `lib/modules/<version>/kernel`, in the order in which they need each other. */
const MODULES: readonly string[] = [
  'drivers/virtio/virtio_ring.ko',
  'drivers/virtio/virtio.ko',
  'drivers/virtio/virtio_mmio.ko',
  'drivers/block/virtio_blk.ko',
  'drivers/char/virtio_console.ko',
  'drivers/char/hw_random/virtio-rng.ko'
]
/** Without these nothing comes in or out. */
const NEEDED: readonly string[] = ['virtio_mmio.ko', 'virtio_console.ko', 'virtio_blk.ko']
const BUSYBOXES: readonly string[] = ['bin/busybox', 'usr/bin/busybox']

/**
 * Finds the newest kernel, its modules and busybox in `directory`, which looks like the root of a Debian system:
 * `boot/vmlinuz-<version>`, `lib/modules/<version>/kernel` and `bin/busybox`.
 *
 * @throws ExecutorUnavailableError saying which part is missing.
 */
export async function findGuest(directory: string): Promise<Guest> {
  const kernels = await readdir(join(directory, 'boot')).catch(() => [])
  const name = kernels.filter((each) => each.startsWith('vmlinuz-')).sort(byVersion)[0]
  if (name === undefined) throw unprepared(`there is no boot/vmlinuz-* in ${directory}`)
  const version = name.slice('vmlinuz-'.length)
  const kernel = join(directory, 'boot', name)
  if (!((await stat(kernel)).mode & constants.S_IROTH)) {
    throw unprepared(`${kernel} must be readable for everybody: machines run as users of their own`)
  }
  return { kernel, version, busybox: await findBusybox(directory), modules: await findModules(directory, version) }
}

async function findBusybox(directory: string): Promise<string> {
  for (const name of BUSYBOXES) {
    const path = join(directory, name)
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false
    )
    if (isThere) return path
  }
  throw unprepared(`there is no bin/busybox in ${directory}`)
}

async function findModules(directory: string, version: string): Promise<readonly string[]> {
  const root = join(directory, 'lib/modules', version)
  const builtIn = (await readFile(join(root, 'modules.builtin'), 'utf8').catch(() => '')).split('\n')
  const found: string[] = []
  for (const module of MODULES) {
    const path = join(root, 'kernel', module)
    const isThere = await access(path).then(
      () => true,
      () => false
    )
    if (isThere) found.push(path)
    else if (NEEDED.some((name) => module.endsWith(`/${name}`)) && !builtIn.includes(`kernel/${module}`)) {
      throw unprepared(`there is no ${path}`)
    }
  }
  return found
}

/** The newest first. */
function byVersion(left: string, right: string): number {
  return right.localeCompare(left, 'en', { numeric: true })
}

function unprepared(what: string): ExecutorUnavailableError {
  return new ExecutorUnavailableError(
    `no kernel is prepared for micro machines: ${what}; docs/guides/microvm.md has the commands`
  )
}
