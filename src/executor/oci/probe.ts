import { readFile } from 'node:fs/promises'
import type { Probe } from '../executor.ts'
import { isThere } from './run-files.ts'
import { findProgram, findRuntime } from './runtime.ts'

/** Programs that monitors use, with the package that has them. */
const PROGRAMS: readonly (readonly [program: string, where: string])[] = [
  ['unshare', 'util-linux'],
  ['nsenter', 'util-linux'],
  ['mount', 'mount'],
  ['mkfs.ext4', 'e2fsprogs'],
  ['ip', 'iproute2'],
  ['stdbuf', 'coreutils']
]

/** Whether containers can be run here, and why not. */
export async function probeOci(wanted: 'auto' | 'crun' | 'runc'): Promise<Probe> {
  const runtime = await findRuntime(wanted)
  if (!runtime.ok) return { available: false, reason: runtime.error }
  if (process.getuid?.() !== 0) {
    return {
      available: false,
      reason: `${runtime.value.name} is here, but containers without a daemon need one that runs as root`
    }
  }
  for (const [program, where] of PROGRAMS) {
    if ((await findProgram(program)) === undefined)
      return { available: false, reason: `there is no ${program}: apt install ${where}` }
  }
  if (!(await isThere('/dev/loop-control'))) return { available: false, reason: 'there are no loop devices: modprobe loop' }
  if (!(await hasOverlay())) return { available: false, reason: 'the kernel has no overlay file system: modprobe overlay' }
  return { available: true, version: runtime.value.version }
}

async function hasOverlay(): Promise<boolean> {
  const known = await readFile('/proc/filesystems', 'utf8').catch(() => '')
  return known.includes('\toverlay\n') || (await isThere('/sys/module/overlay'))
}
