import { DmsError } from '../../base/index.ts'

/** There is no such deployment on this node. */
export class UnknownDeploymentError extends DmsError {
  readonly code = 'DEPLOYMENT_UNKNOWN'
  readonly kind = 'not-found'
}

/** The deployment has ended already. */
export class NotRunningError extends DmsError {
  readonly code = 'DEPLOYMENT_NOT_RUNNING'
  readonly kind = 'conflict'
}

/** The message leaves the deployment less than the least time (C §8.2). */
export class TooShortError extends DmsError {
  readonly code = 'DEPLOYMENT_TOO_SHORT'
  readonly kind = 'invalid'
}

/** The ensemble is not one that can be deployed. */
export class BadEnsembleError extends DmsError {
  readonly code = 'DEPLOYMENT_BAD_ENSEMBLE'
  readonly kind = 'invalid'
}

/** A job of the deployment left no such file, or it is not on this machine yet. */
export class UnknownOutputError extends DmsError {
  readonly code = 'DEPLOYMENT_NO_OUTPUT'
  readonly kind = 'not-found'
}

/** What a provider sends as outputs is not what it announced, or nothing that could be kept. */
export class BadOutputsError extends DmsError {
  readonly code = 'DEPLOYMENT_BAD_OUTPUTS'
  readonly kind = 'conflict'
}

/** A provider said no. */
export class RefusedError extends DmsError {
  readonly code = 'DEPLOYMENT_REFUSED'
  readonly kind = 'conflict'
}
