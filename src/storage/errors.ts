import { DmsError } from '../base/index.ts'

/** The description of a volume is not acceptable; the message names the field. */
export class StorageBadSpecError extends DmsError {
  readonly code = 'STORAGE_BAD_SPEC'
  readonly kind = 'invalid'

  /** Dotted, as the user wrote it: `src`, `volume.1.bucket`. */
  readonly field: string
  readonly problem: string

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`, { details: { field } })
    this.field = field
    this.problem = problem
  }

  /** The same refusal of a field that lies in another one. */
  below(outer: string): StorageBadSpecError {
    return new StorageBadSpecError(`${outer}.${this.field}`, this.problem)
  }
}

/** The volume asks for what the owner of this machine, or the service, does not give: a path, a private address, a bucket of others. */
export class StorageNotPermittedError extends DmsError {
  readonly code = 'STORAGE_NOT_PERMITTED'
  readonly kind = 'forbidden'
}

/** A quota or the limit of a transfer would be passed. */
export class StorageQuotaError extends DmsError {
  readonly code = 'STORAGE_QUOTA'
  readonly kind = 'exhausted'
}

/** What the volume needs does not work now: a program of this machine, a service that does not answer. A retry may help. */
export class StorageUnavailableError extends DmsError {
  readonly code = 'STORAGE_UNAVAILABLE'
  readonly kind = 'unavailable'
}

/** No volume, object or bucket of that name. */
export class StorageNotFoundError extends DmsError {
  readonly code = 'STORAGE_NOT_FOUND'
  readonly kind = 'not-found'
}

/** The volume is used by a job and cannot be removed. */
export class StorageInUseError extends DmsError {
  readonly code = 'STORAGE_IN_USE'
  readonly kind = 'conflict'
}

/** What came is not what was asked for by its checksum, or changed while it was fetched. */
export class StorageChecksumError extends DmsError {
  readonly code = 'STORAGE_CHECKSUM'
  readonly kind = 'conflict'
}

/** A step on this machine failed: a mount, a file system, a disk. */
export class StorageFailedError extends DmsError {
  readonly code = 'STORAGE_FAILED'
  readonly kind = 'internal'
}
