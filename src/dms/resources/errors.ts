import { DmsError } from '../../base/index.ts'

/** What is asked for does not fit into what is free. */
export class ResourcesExhaustedError extends DmsError {
  readonly code = 'RESOURCES_EXHAUSTED'
  readonly kind = 'conflict'
}

/** The offer would fall below what is promised or used. */
export class OfferTooSmallError extends DmsError {
  readonly code = 'RESOURCES_OFFER_TOO_SMALL'
  readonly kind = 'conflict'
}

/** An allocation has no commit to build on. */
export class NotCommittedError extends DmsError {
  readonly code = 'RESOURCES_NOT_COMMITTED'
  readonly kind = 'conflict'
}
