import { DmsError } from '../../base/index.ts'

/** The offer is outside of what this machine may lend. */
export class CapacityNotMetError extends DmsError {
  readonly code = 'ONBOARDING_CAPACITY_NOT_MET'
  readonly kind = 'invalid'
}

/** Jobs still hold what would be taken back. */
export class StillInUseError extends DmsError {
  readonly code = 'ONBOARDING_STILL_IN_USE'
  readonly kind = 'conflict'
}

/** There is no offer to take back. */
export class NotOnboardedError extends DmsError {
  readonly code = 'ONBOARDING_NOT_ONBOARDED'
  readonly kind = 'conflict'
}
