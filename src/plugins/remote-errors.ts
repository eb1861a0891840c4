import { CancelledError, type DmsError } from '../base/index.ts'
import {
  ExecutorBadSpecError,
  ExecutorFailedError,
  ExecutorImageNotFoundError,
  ExecutorNotPermittedError,
  ExecutorStartFailedError,
  ExecutorUnavailableError,
  ExecutorUnknownHandleError,
  ExecutorUnsupportedError
} from '../executor/index.ts'

/** An error of a plugin, as it travels; an error of its own kind has an empty or unknown code. */
export interface RemoteFailure {
  readonly code: string
  readonly kind: string
  readonly field: string
  readonly message: string
}

/** Longer messages are cut: they travel on to users. */
const MAX_MESSAGE = 2000

/** What the plugin threw, as the error of the executor interface that it stands for; everything else names the plugin. */
export function toLocalError(plugin: string, { code, field, message: given }: RemoteFailure): DmsError {
  const message = given.slice(0, MAX_MESSAGE)
  switch (code) {
    case 'EXECUTOR_BAD_SPEC':
      return new ExecutorBadSpecError(field, message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message)
    case 'EXECUTOR_UNAVAILABLE':
      return new ExecutorUnavailableError(message)
    case 'EXECUTOR_IMAGE_NOT_FOUND':
      return new ExecutorImageNotFoundError(message)
    case 'EXECUTOR_START_FAILED':
      return new ExecutorStartFailedError(message)
    case 'EXECUTOR_NOT_PERMITTED':
      return new ExecutorNotPermittedError(message)
    case 'EXECUTOR_UNSUPPORTED':
      return new ExecutorUnsupportedError(message)
    case 'EXECUTOR_UNKNOWN_HANDLE':
      return new ExecutorUnknownHandleError(message)
    case 'BASE_CANCELLED':
      return new CancelledError(message)
    default:
      return new ExecutorFailedError(`plugin ${plugin}: ${message}`)
  }
}
