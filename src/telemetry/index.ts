/**
 * telemetry: where logs and counts go.
 *
 * Imports: base.
 * State: the open log file; counts in memory.
 */
export { type Counters, type CountersOptions, createCounters, OTHER } from './counters.ts'
export { LogFileError } from './errors.ts'
export { type LogLevel, parseLogLevel } from './level.ts'
export { createLogger, type Log, type LoggerOptions, type LogRotation } from './logger.ts'
