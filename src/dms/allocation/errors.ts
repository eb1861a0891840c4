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

/** The allocation has no outputs: it asked for none, has not ended, or they could not be kept. */
export class NoOutputsError extends DmsError {
  readonly code = 'ALLOCATION_NO_OUTPUTS'
  readonly kind = 'not-found'
}

/** Scripts or keys that came with an allocation are not acceptable; the message names the part. */
export class BadPreparationError extends DmsError {
  readonly code = 'ALLOCATION_BAD_PREPARATION'
  readonly kind = 'invalid'
}

/** Stored scripts and keys cannot be read: the record was made by another node, or is damaged. */
export class UnreadablePreparationError extends DmsError {
  readonly code = 'ALLOCATION_UNREADABLE_PREPARATION'
  readonly kind = 'internal'
}

/** A graphics card that a job was promised is gone from the machine, or of a kind that no executor passes on. */
export class MissingCardError extends DmsError {
  readonly code = 'ALLOCATION_MISSING_CARD'
  readonly kind = 'not-found'
}
