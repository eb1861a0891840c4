/**
 * dms/onboarding: what the owner lends, within the limits of the machine.
 *
 * Imports: dms/resources.
 * State: none of its own; the offer is in the ledger.
 */
export { type GpuOffer, parseGpuOffer } from './gpu-offer.ts'
export { createOnboarding, type Onboarding } from './onboarding.ts'
