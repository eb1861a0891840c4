import { DmsError } from '../../base/index.ts'

/** There is no such allocation here. */
export class UnknownAllocationError extends DmsError {
  readonly code = 'ALLOCATION_UNKNOWN'
  readonly kind = 'not-found'
}

/** The allocation belongs to another deployer. */
export class NotYoursError extends DmsError {
  readonly code = 'ALLOCATION_NOT_YOURS'
  readonly kind = 'forbidden'
}

/** The executor of a stored allocation is not part of this program. */
export class MissingExecutorError extends DmsError {
  readonly code = 'ALLOCATION_NO_EXECUTOR'
  readonly kind = 'conflict'
}

/** The workload of an allocation could not be started here. */
export class StartFailedError extends DmsError {
  readonly code = 'ALLOCATION_START_FAILED'
  readonly kind = 'unavailable'
}

/** An earlier allocation with this id has not gone yet. */
export class StillEndingError extends DmsError {
  readonly code = 'ALLOCATION_STILL_ENDING'
  readonly kind = 'conflict'
}
