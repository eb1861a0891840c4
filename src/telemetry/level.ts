/** How important a log line is. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** All levels, the most talkative first. */
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** The level of a name in any case, as in `observability.logging.level` or a request; `undefined` for other names. */
export function parseLogLevel(name: string): LogLevel | undefined {
  return LOG_LEVELS.find((level) => level === name.toLowerCase())
}

/** Whether lines of `level` are written when `least` is the least level. */
export function isAtLeast(level: LogLevel, least: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least)
}
