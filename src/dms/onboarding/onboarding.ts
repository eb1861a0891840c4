import { type AbortOptions, bytes } from '../../base/index.ts'
import type { HardwareProbe, Machine } from '../../hardware/index.ts'
import { type Amount, formatBytes, type ResourceLedger } from '../resources/index.ts'
import { CapacityNotMetError, NotOnboardedError, StillInUseError } from './errors.ts'

const GIB = 2 ** 30

/**
 * Clients round to 0.1 GiB before they send (E §2.2), so that much beyond a limit still counts as the limit.
 */
const TOLERANCE = 0.1 * GIB

/** Share of a machine's RAM and disk that may be lent at most, and of its RAM at least (C §6.1). */
const LARGEST_SHARE = 0.9
const SMALLEST_SHARE = 0.1

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
export function checkOffer(offer: Amount, limits: OfferLimits): readonly string[] {
  const wrong: string[] = []
  const { cpuCores, memory, disk } = limits
  if (offer.cpuCores < cpuCores.min || offer.cpuCores > cpuCores.max) {
    wrong.push(`expected CPU to be between ${cpuCores.min} and ${cpuCores.max} cores, got ${offer.cpuCores}`)
  }
  if (!isWithin(offer.memory, memory)) wrong.push(sizeMessage('RAM', offer.memory, memory))
  if (!isWithin(offer.disk, disk)) wrong.push(`${sizeMessage('Disk', offer.disk, disk)} (file system of ${limits.diskPath})`)
  return wrong
}

function isWithin(value: number, { min, max }: Range): boolean {
  return value >= min - TOLERANCE && value <= max + TOLERANCE
}

function sizeMessage(what: string, value: number, { min, max }: Range): string {
  return `expected ${what} to be between ${formatBytes(min)} and ${formatBytes(max)}, got ${formatBytes(value)}`
}

/** Lends a part of the machine and takes it back. */
export interface Onboarding {
  /** Lends; again replaces. Errors: `ONBOARDING_CAPACITY_NOT_MET`, `RESOURCES_OFFER_TOO_SMALL`. Returns what was stored. */
  onboard(offer: Amount, options?: AbortOptions): Promise<Amount>
  /** Takes back. Errors: `ONBOARDING_STILL_IN_USE`, `ONBOARDING_NOT_ONBOARDED`. */
  offboard(): Promise<void>
  isOnboarded(): boolean
}

/** Creates the onboarding service. */
export function createOnboarding({
  ledger,
  hardware
}: {
  readonly ledger: ResourceLedger
  readonly hardware: HardwareProbe
}): Onboarding {
  return {
    async onboard(offer, options) {
      const limits = offerLimits(await hardware.capacity(options))
      const wrong = checkOffer(offer, limits)
      if (wrong.length > 0) {
        throw new CapacityNotMetError(`could not validate onboarding prerequisites: capacity not met: ${wrong.join('; ')}`)
      }
      const stored = { ...offer, memory: clamp(offer.memory, limits.memory), disk: clamp(offer.disk, limits.disk) }
      await ledger.setOffer(stored)
      return stored
    },
    async offboard() {
      if (ledger.offer() === undefined) throw new NotOnboardedError('the machine is not onboarded')
      const inUse = [...ledger.commitments().keys()]
      if (inUse.length > 0) {
        throw new StillInUseError(
          `${inUse.length} allocations or promises still use the machine: ${inUse.slice(0, 3).join(', ')}`
        )
      }
      await ledger.setOffer(undefined)
    },
    isOnboarded: () => ledger.offer() !== undefined
  }
}

function clamp(value: number, { min, max }: Range) {
  return bytes(Math.floor(Math.min(max, Math.max(min, value))))
}
