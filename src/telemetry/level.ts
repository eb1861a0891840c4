/** How important a log line is. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** The level of a name in any case, as in `observability.logging.level` or a request; `undefined` for other names. */
export function parseLogLevel(name: string): LogLevel | undefined {
  return LEVELS.find((level) => level === name.toLowerCase())
}

/** Whether lines of `level` are written when `least` is the least level. */
export function isAtLeast(level: LogLevel, least: LogLevel): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least)
}
