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

/** A public port is promised to somebody else. */
export class PortsTakenError extends DmsError {
  readonly code = 'RESOURCES_PORTS_TAKEN'
  readonly kind = 'conflict'
}

/** No port is left of those that the owner lends, or what is asked for is outside of them or in use by another program. */
export class NoPortError extends DmsError {
  readonly code = 'RESOURCES_NO_PORT'
  readonly kind = 'conflict'
}
