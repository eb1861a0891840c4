import { type Bytes, bytes } from '../../base/index.ts'
import { addShares, type GpuShare, missingShares, subtractShares, vramOf } from './gpus.ts'

/** How much of a machine: what is lent, promised, used or asked for. */
export interface Amount {
  /** Cores, in hundredths. */
  readonly cpuCores: number
  readonly memory: Bytes
  readonly disk: Bytes
  /** Parts of graphics cards, one share per card. */
  readonly gpus: readonly GpuShare[]
}

/** Nothing. */
export const NOTHING: Amount = Object.freeze({ cpuCores: 0, memory: bytes(0), disk: bytes(0), gpus: Object.freeze([]) })

/** Whether every part is finite and not negative: anything else would make resources out of nothing. */
export function isAmount({ cpuCores, memory, disk, gpus }: Amount): boolean {
  return [cpuCores, memory, disk, ...gpus.map(({ vram }) => vram)].every((part) => Number.isFinite(part) && part >= 0)
}

/** The sum; cores are rounded to hundredths so that repeated sums do not drift (C §4.2). */
export function add(a: Amount, b: Amount): Amount {
  return {
    cpuCores: hundredths(a.cpuCores + b.cpuCores),
    memory: bytes(a.memory + b.memory),
    disk: bytes(a.disk + b.disk),
    gpus: addShares(a.gpus, b.gpus)
  }
}

/** The sum of any number of amounts. */
export function total(amounts: Iterable<Amount>): Amount {
  let sum = NOTHING
  for (const amount of amounts) sum = add(sum, amount)
  return sum
}

/** The difference, never below zero per component. */
export function subtract(a: Amount, b: Amount): Amount {
  return {
    cpuCores: Math.max(0, hundredths(a.cpuCores - b.cpuCores)),
    memory: bytes(Math.max(0, a.memory - b.memory)),
    disk: bytes(Math.max(0, a.disk - b.disk)),
    gpus: subtractShares(a.gpus, b.gpus)
  }
}

/** What is missing of `need` in `have`, as texts such as `2 cores wanted, 1.5 free`; empty when it fits, exact fit included. */
export function shortages(have: Amount, need: Amount): readonly string[] {
  const missing: string[] = []
  if (hundredths(need.cpuCores) > hundredths(have.cpuCores)) {
    missing.push(`${need.cpuCores} CPU cores wanted, ${have.cpuCores} free`)
  }
  if (need.memory > have.memory) missing.push(`${formatBytes(need.memory)} RAM wanted, ${formatBytes(have.memory)} free`)
  if (need.disk > have.disk) missing.push(`${formatBytes(need.disk)} disk wanted, ${formatBytes(have.disk)} free`)
  for (const { device, vram } of missingShares(have.gpus, need.gpus)) {
    missing.push(`${formatBytes(vram)} of graphics card ${device} wanted, ${formatBytes(vramOf(have.gpus, device))} free`)
  }
  return missing
}

/** A size for people: `1.5 GiB`, `64 MiB`. */
export function formatBytes(size: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const
  let value = size
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${Number(value.toFixed(2))} ${units[unit] ?? 'B'}`
}

function hundredths(cores: number): number {
  return Math.round(cores * 100) / 100
}
