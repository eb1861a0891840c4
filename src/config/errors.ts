import { DmsError } from '../base/index.ts'

/** The configuration cannot be used; the message names the file, variable or flag, the key, and what would be right. */
export class ConfigError extends DmsError {
  readonly code = 'CONFIG_INVALID'
  readonly kind = 'invalid'
}

/** The file that `--config` names does not exist. */
export class ConfigNotFoundError extends DmsError {
  readonly code = 'CONFIG_NOT_FOUND'
  readonly kind = 'not-found'
}

/** The file was changed by somebody else while it was being edited. */
export class ConfigConflictError extends DmsError {
  readonly code = 'CONFIG_CHANGED_MEANWHILE'
  readonly kind = 'conflict'
}
