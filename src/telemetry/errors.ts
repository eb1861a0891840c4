import { DmsError } from '../base/index.ts'

/** The log file cannot be opened. */
export class LogFileError extends DmsError {
  readonly code = 'TELEMETRY_LOG_FILE'
  readonly kind = 'unavailable'
}
