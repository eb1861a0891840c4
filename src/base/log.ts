/** Fields of a log line; camel case, as the clients filter them (`orchestratorID`, `allocationID`, `behavior`, `error`). */
export type LogFields = Readonly<Record<string, unknown>>

/** Where a module writes what happens; satisfied by `telemetry`. */
export interface Logger {
  child(fields: LogFields): Logger
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** Drops everything. */
export const silentLogger: Logger = {
  child: () => silentLogger,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined
}
