import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type AbortOptions, type Bytes, bytes, type Clock, errorMessage, hasErrno, millis } from '../base/index.ts'
import { type CgroupLimits, readCgroupLimits } from './cgroup.ts'
import { busyCores, type CpuTimes, describeCpu, parseCpuTimes } from './cpu.ts'
import { HardwareUnreadableError } from './errors.ts'
import { findGpus } from './gpus.ts'
import { parseMemory } from './memory.ts'
import { createSystemFiles, readInteger, type SystemFiles } from './system-files.ts'
import type { HardwareProbe, Machine } from './types.ts'

/** Options of {@link createHardwareProbe}. */
export interface HardwareProbeOptions {
  /** A path on the file system that jobs write to; need not exist yet. */
  readonly diskPath: string
  readonly clock: Clock
  /** Where `/proc` and `/sys` are looked for; default `/`. */
  readonly root?: string
  /** As Node names it; default that of this process. */
  readonly architecture?: string
}

/** How long the use of the CPU is watched. */
const SAMPLE = millis(200)
const MAXIMUM_CLOCK = '/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq'

/**
 * Reads the machine from files of the kernel (Linux).
 *
 * Where control groups leave less than the machine has (a container, a systemd slice), that counts as what the machine has.
 * Both methods throw `HARDWARE_UNREADABLE` (unavailable) where the kernel does not tell.
 */
export function createHardwareProbe({
  diskPath,
  clock,
  root = '/',
  architecture = process.arch
}: HardwareProbeOptions): HardwareProbe {
  const files = createSystemFiles(root)
  return {
    async capacity() {
      const limits = await readCgroupLimits(files)
      const { total } = await readMemory(files)
      return {
        cpu: await readCpu(files, limits, architecture),
        memory: atMost(total, limits.memory),
        disk: { path: diskPath, total: (await readDisk(diskPath)).total },
        gpus: await findGpus(files)
      }
    },
    async usage(options = {}) {
      const limits = await readCgroupLimits(files)
      const cpuCores = await measureCpu(files, clock, options)
      const { total, available } = await readMemory(files)
      return {
        cpuCores: Math.min(cpuCores, limits.cpuCores ?? cpuCores),
        memory: limits.memory !== undefined && limits.memory < total ? (limits.memoryUsed ?? bytes(0)) : bytes(total - available),
        disk: (await readDisk(diskPath)).used
      }
    }
  }
}

async function readCpu(files: SystemFiles, limits: CgroupLimits, architecture: string): Promise<Machine['cpu']> {
  const content = await need(files, '/proc/cpuinfo')
  const cpu = describeCpu(content, await readInteger(files, MAXIMUM_CLOCK), architecture)
  if (cpu === undefined) throw new HardwareUnreadableError('/proc/cpuinfo lists no processor')
  return { ...cpu, cores: Math.min(cpu.cores, limits.cpuCores ?? cpu.cores) }
}

async function readMemory(files: SystemFiles): Promise<{ readonly total: Bytes; readonly available: Bytes }> {
  const memory = parseMemory(await need(files, '/proc/meminfo'))
  if (memory === undefined) throw new HardwareUnreadableError('/proc/meminfo lacks MemTotal or MemAvailable')
  return memory
}

async function measureCpu(files: SystemFiles, clock: Clock, options: AbortOptions): Promise<number> {
  const before = await readCpuTimes(files)
  await clock.sleep(SAMPLE, options)
  const after = await readCpuTimes(files)
  const cores = describeCpu(await need(files, '/proc/cpuinfo'), undefined, '')?.cores ?? 1
  return busyCores(before, after, cores)
}

async function readCpuTimes(files: SystemFiles): Promise<CpuTimes> {
  const times = parseCpuTimes(await need(files, '/proc/stat'))
  if (times === undefined) throw new HardwareUnreadableError('/proc/stat has no line for the CPU')
  return times
}

/** The file system of `path`, or of its nearest parent that exists. `total` leaves out what only root may use. */
async function readDisk(path: string): Promise<{ readonly total: Bytes; readonly used: Bytes }> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(path)
    const used = blocks - bfree
    return { total: bytes((used + bavail) * bsize), used: bytes(used * bsize) }
  } catch (error) {
    if (hasErrno(error, 'ENOENT') && dirname(path) !== path) return readDisk(dirname(path))
    throw new HardwareUnreadableError(`the file system of ${path} cannot be read: ${errorMessage(error)}`, { cause: error })
  }
}

async function need(files: SystemFiles, path: string): Promise<string> {
  const content = await files.text(path)
  if (content === undefined) throw new HardwareUnreadableError(`${path} cannot be read: is this Linux?`)
  return content
}

function atMost(value: Bytes, limit: Bytes | undefined): Bytes {
  return limit === undefined || value <= limit ? value : limit
}
