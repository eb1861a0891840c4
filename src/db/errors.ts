import { DmsError, errorMessage, hasErrno } from '../base/index.ts'

/** A file is there already and must not be replaced. */
export class FileExistsError extends DmsError {
  readonly code = 'DB_FILE_EXISTS'
  readonly kind = 'conflict'
}

/** A file is not what we read: too large, not a regular file, not text. */
export class FileRefusedError extends DmsError {
  readonly code = 'DB_FILE_REFUSED'
  readonly kind = 'invalid'
}

/** The operating system does not let this user read or write a file. */
export class FileForbiddenError extends DmsError {
  readonly code = 'DB_FILE_FORBIDDEN'
  readonly kind = 'forbidden'
}

/** The disk or the quota is full. */
export class DiskFullError extends DmsError {
  readonly code = 'DB_DISK_FULL'
  readonly kind = 'exhausted'
}

/** Reading or writing a file failed for another reason of the operating system. */
export class FileFailedError extends DmsError {
  readonly code = 'DB_FILE_FAILED'
  readonly kind = 'unavailable'
}

/** Another process holds the lock of a file. */
export class FileLockedError extends DmsError {
  readonly code = 'DB_LOCKED'
  readonly kind = 'conflict'
}

/** The store is not started, or stopped. */
export class StoreClosedError extends DmsError {
  readonly code = 'DB_CLOSED'
  readonly kind = 'unavailable'
}

/** The store could not be opened. */
export class StoreOpenError extends DmsError {
  readonly code = 'DB_OPEN_FAILED'
  readonly kind = 'unavailable'
}

/** The file belongs to another program, or is no database. */
export class ForeignStoreError extends DmsError {
  readonly code = 'DB_FOREIGN_FILE'
  readonly kind = 'invalid'
}

/** The store was written by a newer version of this program. */
export class NewerStoreError extends DmsError {
  readonly code = 'DB_NEWER_SCHEMA'
  readonly kind = 'conflict'
}

/** Changes could not be made durable; none of them took effect. */
export class WriteFailedError extends DmsError {
  readonly code = 'DB_WRITE_FAILED'
  readonly kind = 'unavailable'
}

/** Records could not be read. */
export class ReadFailedError extends DmsError {
  readonly code = 'DB_READ_FAILED'
  readonly kind = 'unavailable'
}

/** A stored value is not what its codec expects. */
export class DamagedRecordError extends DmsError {
  readonly code = 'DB_DAMAGED_RECORD'
  readonly kind = 'internal'
}

/** An id or a value that a store does not take: see the limits of {@link Collection}. */
export class InvalidRecordError extends DmsError {
  readonly code = 'DB_INVALID_RECORD'
  readonly kind = 'invalid'
}

/**
 * Wraps what a system call on a file threw; errors of ours pass unchanged.
 *
 * @param action - What failed, with the path: `cannot read /home/x/.nunet/cap/dms.cap`.
 */
export function toFileError(error: unknown, action: string): DmsError {
  if (error instanceof DmsError) return error
  const message = `${action}: ${errorMessage(error)}`
  if (hasErrno(error, 'EEXIST')) return new FileExistsError(message, { cause: error })
  if (['EACCES', 'EPERM', 'EROFS'].some((name) => hasErrno(error, name))) return new FileForbiddenError(message, { cause: error })
  if (['ENOSPC', 'EDQUOT'].some((name) => hasErrno(error, name))) return new DiskFullError(message, { cause: error })
  return new FileFailedError(message, { cause: error })
}
