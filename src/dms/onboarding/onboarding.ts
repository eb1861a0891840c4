import { type AbortOptions, bytes } from '../../base/index.ts'
import type { HardwareProbe } from '../../hardware/index.ts'
import type { Amount, ResourceLedger } from '../resources/index.ts'
import { CapacityNotMetError, NotOnboardedError, StillInUseError } from './errors.ts'
import { type GpuOffer, readGpuOffers } from './gpu-offer.ts'
import { checkOffer, clamp, offerLimits } from './limits.ts'

/** What an owner wants to lend. */
export interface Offer extends Omit<Amount, 'gpus'> {
  readonly gpus: readonly GpuOffer[]
}

/** Lends a part of the machine and takes it back. */
export interface Onboarding {
  /** Lends; again replaces. Errors: `ONBOARDING_CAPACITY_NOT_MET`, `RESOURCES_OFFER_TOO_SMALL`. Returns what was stored. */
  onboard(offer: Offer, options?: AbortOptions): Promise<Amount>
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
    async onboard({ gpus, ...offer }, options) {
      const machine = await hardware.capacity(options)
      const limits = offerLimits(machine)
      const shares = readGpuOffers(gpus, machine.gpus)
      const wrong = [...checkOffer(offer, limits), ...(shares.ok ? [] : shares.error)]
      if (!shares.ok || wrong.length > 0) {
        throw new CapacityNotMetError(`could not validate onboarding prerequisites: capacity not met: ${wrong.join('; ')}`)
      }
      const stored: Amount = {
        cpuCores: offer.cpuCores,
        memory: bytes(clamp(offer.memory, limits.memory)),
        disk: bytes(clamp(offer.disk, limits.disk)),
        gpus: shares.value
      }
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
