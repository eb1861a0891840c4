import type { Machine } from './types.ts'

/** What `/proc/cpuinfo` and the kernel's name of the architecture say. */
export type CpuDescription = Machine['cpu']

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' }
/** Names that ARM processors carry only as numbers (`CPU implementer`). */
const ARM_VENDORS: Readonly<Record<string, string>> = {
  '0x41': 'ARM',
  '0x42': 'Broadcom',
  '0x48': 'HiSilicon',
  '0x4e': 'NVIDIA',
  '0x51': 'Qualcomm',
  '0x61': 'Apple',
  '0xc0': 'Ampere'
}

/**
 * Describes the processor.
 *
 * Cores are the processors that the kernel schedules on, as the reference counts them (C §5), and so are threads: jobs share
 * them by time. Clock, model, vendor and cache are those of the first one; 0 or an empty text where the kernel does not tell.
 *
 * @param cpuinfo      - Content of `/proc/cpuinfo`.
 * @param maximumKhz   - Highest clock according to cpufreq; ARM tells it nowhere else.
 * @param architecture - As Node names it: `x64`, `arm64`.
 */
export function describeCpu(cpuinfo: string, maximumKhz: number | undefined, architecture: string): CpuDescription | undefined {
  const processors = cpuinfo
    .split('\n\n')
    .map(parseFields)
    .filter((fields) => fields.has('processor'))
  const [first] = processors
  if (first === undefined) return undefined
  const megahertz = Number(first.get('cpu MHz') ?? 0)
  return {
    cores: processors.length,
    threads: processors.length,
    clockHz: maximumKhz === undefined ? Math.round(megahertz * 1e6) : maximumKhz * 1000,
    model: first.get('model name') ?? '',
    vendor: first.get('vendor_id') ?? ARM_VENDORS[first.get('CPU implementer') ?? ''] ?? '',
    architecture: ARCHITECTURES[architecture] ?? architecture,
    cacheBytes: Number(/^(\d+) KB$/.exec(first.get('cache size') ?? '')?.[1] ?? 0) * 1024
  }
}

function parseFields(block: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of block.split('\n')) {
    const at = line.indexOf(':')
    if (at > 0) fields.set(line.slice(0, at).trim(), line.slice(at + 1).trim())
  }
  return fields
}

/** Clock ticks of all processors since the start of the machine. */
export interface CpuTimes {
  readonly busy: number
  readonly total: number
}

/** Reads the first line of `/proc/stat`; waiting for a disk counts as idle. */
export function parseCpuTimes(stat: string): CpuTimes | undefined {
  const line = /^cpu +([\d ]+)$/m.exec(stat)?.[1]
  if (line === undefined) return undefined
  // user, nice, system, idle, iowait, irq, softirq, steal; the guest times after them are part of user and nice
  const ticks = line.trim().split(/ +/).slice(0, 8).map(Number)
  const total = ticks.reduce((sum, tick) => sum + tick, 0)
  return { total, busy: total - (ticks[3] ?? 0) - (ticks[4] ?? 0) }
}

/** Busy processors between two readings, from 0 to `cores`. */
export function busyCores(before: CpuTimes, after: CpuTimes, cores: number): number {
  const total = after.total - before.total
  if (total <= 0) return 0
  return Math.min(cores, Math.max(0, ((after.busy - before.busy) / total) * cores))
}
