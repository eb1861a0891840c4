import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  type AbortOptions,
  type Bytes,
  bytes,
  type Clock,
  errorMessage,
  hasErrno,
  type Millis,
  millis,
  minutes
} from '../base/index.ts'
import { type CgroupLimits, readCgroupLimits } from './cgroup.ts'
import { busyCores, type CpuTimes, describeCpu, parseCpuTimes } from './cpu.ts'
import { HardwareUnreadableError } from './errors.ts'
import { findGpus } from './gpu/gpus.ts'
import { parseMemory } from './memory.ts'
import { createSystemFiles, readInteger, type SystemFiles } from './system-files.ts'
import { createToolRunner, type RunTool } from './tools.ts'
import type { Gpu, HardwareProbe, Machine } from './types.ts'

/** Options of {@link createHardwareProbe}. */
export interface HardwareProbeOptions {
  /** A path on the file system that jobs write to; need not exist yet. */
  readonly diskPath: string
  readonly clock: Clock
  /** Where `/proc` and `/sys` are looked for; default `/`. */
  readonly root?: string
  /** Runs the tools of vendors; default: those of this machine. */
  readonly run?: RunTool
  /** As Node names it; default that of this process. */
  readonly architecture?: string
}

/** How long the use of the CPU is watched. */
const SAMPLE = millis(200)
/** How long the cards are taken to be the same. */
const REMEMBERED = minutes(1)
const MAXIMUM_CLOCK = '/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq'

/**
 * Reads the machine from files of the kernel (Linux), and its graphics cards from the tools of their vendors too.
 *
 * Where control groups leave less than the machine has (a container, a systemd slice), that counts as what the machine has.
 * Both methods throw `HARDWARE_UNREADABLE` (unavailable) where the kernel does not tell.
 */
export function createHardwareProbe({
  diskPath,
  clock,
  root = '/',
  run = createToolRunner(),
  architecture = process.arch
}: HardwareProbeOptions): HardwareProbe {
  const files = createSystemFiles(root)
  let known: { readonly gpus: Promise<readonly Gpu[]>; readonly until: Millis } | undefined

  /** Calls that come while the tools run share what they say. */
  function gpus(): Promise<readonly Gpu[]> {
    const now = clock.now()
    if (known === undefined || known.until < now) known = { gpus: findGpus(files, run), until: millis(now + REMEMBERED) }
    return known.gpus
  }

  return {
    async capacity() {
      const limits = await readCgroupLimits(files)
      const { total } = await readMemory(files)
      return {
        cpu: await readCpu(files, limits, architecture),
        memory: atMost(total, limits.memory),
        disk: { path: diskPath, total: (await readDisk(diskPath)).total },
        gpus: await gpus()
      }
    },
    async usage(options = {}) {
      const limits = await readCgroupLimits(files)
      const cpuCores = await measureCpu(files, clock, options)
      const { total, available } = await readMemory(files)
      return {
        cpuCores: Math.min(cpuCores, limits.cpuCores ?? cpuCores),
        memory: limits.memory !== undefined && limits.memory < total ? (limits.memoryUsed ?? bytes(0)) : bytes(total - available),
        disk: (await readDisk(diskPath)).used,
        gpus: await findGpus(files, run)
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
