/**
 * telemetry: where logs and counts go.
 *
 * Imports: base.
 * State: the open log file; counts and the last events in memory.
 */

export type { LogRecord } from './console-line.ts'
export { type Counters, type CountersOptions, createCounters, OTHER } from './counters.ts'
export { LogFileError } from './errors.ts'
export { LOG_LEVELS, type LogLevel, parseLogLevel } from './level.ts'
export { createLogger, type Log, type LoggerOptions, type LogRotation } from './logger.ts'
export { createVitals, type Vitals } from './vitals.ts'
