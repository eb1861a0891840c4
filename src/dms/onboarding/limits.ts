import type { Machine } from '../../hardware/index.ts'
import { type Amount, formatBytes } from '../resources/index.ts'

const GIB = 2 ** 30

/**
 * Clients round to 0.1 GiB before they send (E §2.2), so that much beyond a limit still counts as the limit.
 */
const TOLERANCE = 0.1 * GIB

/** Share of a machine's RAM, disk and graphics memory that may be lent at most, and of RAM and graphics memory at least (C §6.1). */
export const LARGEST_SHARE = 0.9
export const SMALLEST_SHARE = 0.1

/** An inclusive range with what it is measured in. */
export interface Range {
  readonly min: number
  readonly max: number
}

/** What this machine may lend. */
export interface OfferLimits {
  readonly cpuCores: Range
  readonly memory: Range
  readonly disk: Range
  /** The directory whose file system the disk range is about. */
  readonly diskPath: string
}

/** The limits of an offer: at least a core, 10–90 % of RAM, 1 GiB to 90 % of the jobs' file system (C §6.1, E §2.2). */
export function offerLimits(machine: Machine): OfferLimits {
  return {
    cpuCores: { min: 1, max: machine.cpu.cores },
    memory: { min: machine.memory * SMALLEST_SHARE, max: machine.memory * LARGEST_SHARE },
    disk: { min: GIB, max: machine.disk.total * LARGEST_SHARE },
    diskPath: machine.disk.path
  }
}

/**
 * Says what of an offer is outside of the limits, each with the allowed range; empty when the offer is fine.
 *
 * Values within 0.1 GiB beyond a limit are accepted as the limit.
 */
export function checkOffer(offer: Omit<Amount, 'gpus'>, limits: OfferLimits): readonly string[] {
  const wrong: string[] = []
  const { cpuCores, memory, disk } = limits
  if (offer.cpuCores < cpuCores.min || offer.cpuCores > cpuCores.max) {
    wrong.push(`expected CPU to be between ${cpuCores.min} and ${cpuCores.max} cores, got ${offer.cpuCores}`)
  }
  if (!isWithin(offer.memory, memory)) wrong.push(sizeMessage('RAM', offer.memory, memory))
  if (!isWithin(offer.disk, disk)) wrong.push(`${sizeMessage('Disk', offer.disk, disk)} (file system of ${limits.diskPath})`)
  return wrong
}

/** Whether a size in bytes is within a range, or beyond it by no more than clients round. */
export function isWithin(value: number, { min, max }: Range): boolean {
  return value >= min - TOLERANCE && value <= max + TOLERANCE
}

/** The nearest whole number within a range. */
export function clamp(value: number, { min, max }: Range): number {
  return Math.floor(Math.min(max, Math.max(min, value)))
}

function sizeMessage(what: string, value: number, { min, max }: Range): string {
  return `expected ${what} to be between ${formatBytes(min)} and ${formatBytes(max)}, got ${formatBytes(value)}`
}
