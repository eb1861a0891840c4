/**
 * dms/onboarding: what the owner lends, within the limits of the machine.
 *
 * Imports: dms/resources.
 * State: none of its own; the offer is in the ledger.
 */
export { CapacityNotMetError, NotOnboardedError, StillInUseError } from './errors.ts'
export { checkOffer, createOnboarding, type OfferLimits, type Onboarding, offerLimits } from './onboarding.ts'
