import { DmsError } from '../base/index.ts'

/** The workload's description is not acceptable; the message names the field. */
export class ExecutorBadSpecError extends DmsError {
  readonly code = 'EXECUTOR_BAD_SPEC'
  readonly kind = 'invalid'

  /** `field` is dotted, as the user wrote it: `environment.0`, `limits.memory`. */
  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`, { details: { field } })
  }
}

/** The executor does not work on this machine now: no Docker daemon, no `/proc`. A retry may help. */
export class ExecutorUnavailableError extends DmsError {
  readonly code = 'EXECUTOR_UNAVAILABLE'
  readonly kind = 'unavailable'
}

/** The image is not on this machine and its registry did not give it. */
export class ExecutorImageNotFoundError extends DmsError {
  readonly code = 'EXECUTOR_IMAGE_NOT_FOUND'
  readonly kind = 'not-found'
}

/** Everything was acceptable and yet the workload did not start. */
export class ExecutorStartFailedError extends DmsError {
  readonly code = 'EXECUTOR_START_FAILED'
  readonly kind = 'internal'
}

/** This kind of executor cannot do what is asked, on no machine. */
export class ExecutorUnsupportedError extends DmsError {
  readonly code = 'EXECUTOR_UNSUPPORTED'
  readonly kind = 'invalid'
}

/** The workload asks for a right that the owner of this machine does not give. */
export class ExecutorNotPermittedError extends DmsError {
  readonly code = 'EXECUTOR_NOT_PERMITTED'
  readonly kind = 'forbidden'
}

/** No workload of this driver has this handle (any more). */
export class ExecutorUnknownHandleError extends DmsError {
  readonly code = 'EXECUTOR_UNKNOWN_HANDLE'
  readonly kind = 'not-found'
}

/** A running workload could not be stopped, removed or read. */
export class ExecutorFailedError extends DmsError {
  readonly code = 'EXECUTOR_FAILED'
  readonly kind = 'internal'
}
