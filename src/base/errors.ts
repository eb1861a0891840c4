/** What an edge needs to know of an error: the HTTP status, the exit code and whether a retry may help follow from it. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'exhausted'
  | 'unavailable'
  | 'timeout'
  | 'cancelled'
  | 'internal'

/** JSON-safe facts about an error; never a secret. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean>>

/** Options of every {@link DmsError}. */
export interface DmsErrorOptions {
  readonly cause?: unknown
  readonly details?: ErrorDetails
}

/**
 * The root of all errors that cross a module's face.
 *
 * `code` is stable and prefixed by its module (`UCAN_EXPIRED`); `kind` is all that an edge maps.
 */
export abstract class DmsError extends Error {
  abstract readonly code: Uppercase<string>
  abstract readonly kind: ErrorKind
  readonly details: ErrorDetails

  constructor(message: string, options: DmsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.details = options.details ?? {}
  }
}

/** The operation was given up because its signal was aborted. */
export class CancelledError extends DmsError {
  readonly code = 'BASE_CANCELLED'
  readonly kind = 'cancelled'
}

/** The operation did not finish within its time. */
export class TimeoutError extends DmsError {
  readonly code = 'BASE_TIMEOUT'
  readonly kind = 'timeout'
}

/** Thrown by {@link invariant}: a bug of this program, not a condition of the world. */
export class InvariantError extends DmsError {
  readonly code = 'BASE_INVARIANT'
  readonly kind = 'internal'
}

/** Says what must be true here; a violation is a bug and fails the message or command that triggered it. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (condition === false || condition === undefined || condition === null) throw new InvariantError(message)
}

/** Ends a switch over a union: does not compile while a member is unhandled. */
export function unreachable(value: never): never {
  throw new InvariantError(`unexpected value: ${JSON.stringify(value)}`)
}

/** The text of anything thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Whether a system call failed with this errno name, such as `ENOENT`. */
export function hasErrno(error: unknown, name: string): boolean {
  return error instanceof Error && 'code' in error && error.code === name
}

/** Process exit code of each kind (sysexits). */
export const EXIT_CODES: Readonly<Record<ErrorKind, number>> = {
  invalid: 2,
  unauthenticated: 77,
  forbidden: 77,
  'not-found': 66,
  conflict: 65,
  exhausted: 75,
  unavailable: 69,
  timeout: 75,
  cancelled: 130,
  internal: 70
}

/** HTTP status of each kind. */
export const HTTP_STATUS: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  exhausted: 429,
  unavailable: 503,
  timeout: 504,
  cancelled: 499,
  internal: 500
}
