import {
  type Clock,
  errorMessage,
  type LogFields,
  type Logger,
  type Millis,
  mebibytes,
  millis,
  minutes,
  type Service,
  systemClock
} from '../base/index.ts'
import { type LogRecord, renderConsoleLine } from './console-line.ts'
import { LogFileError } from './errors.ts'
import { isAtLeast, type LogLevel } from './level.ts'
import { createRecorder } from './recorder.ts'
import { type CleanFields, cleanFields, cutText } from './redact.ts'
import { createRotatingFile, type RotatingFile } from './rotating-file.ts'

/** Where the log goes and how much of it. */
export interface LoggerOptions {
  /** The least level that is written. */
  readonly level: LogLevel
  /** Gets one line for people per record; the daemon gives standard error. Without it there is none. */
  readonly console?: { write(line: string): unknown }
  /** Gets one JSON object per line (D §5.1). Without it there is no file. */
  readonly file?: string
  /** Default: 100 MB, 3 old files, 28 days (D §3.2). */
  readonly rotation?: LogRotation
  /** The DID of the node, in every line of the file. */
  readonly did?: string
  readonly clock?: Clock
}

/** As in `observability.logging.rotation`. */
export interface LogRotation {
  readonly maxSizeMb: number
  /** 0 keeps all. */
  readonly maxBackups: number
  /** 0 keeps them however old. */
  readonly maxAgeDays: number
}

/** The log of a process. */
export interface Log {
  readonly logger: Logger
  /** Opens and closes the file. Before `start` and after `stop`, lines go to the console only. */
  readonly service: Service
  /** The least level that is written. */
  level(): LogLevel
  /** Changes the least level of this logger and all of its children (D §5.2). */
  setLevel(level: LogLevel): void
  /** The last events, oldest first: all from INFO on, and DEBUG while it is written; as clean as what is written. */
  recent(): readonly LogRecord[]
}

const DEFAULT_ROTATION: LogRotation = { maxSizeMb: 100, maxBackups: 3, maxAgeDays: 28 }

/** How often a log file that cannot be written is complained about. */
const COMPLAINT_INTERVAL = minutes(1)

/**
 * Creates a log that writes JSON lines to a rotated file and readable lines to the console, without secrets.
 *
 * Writing never throws: when the file cannot be written, the console says so once a minute, with the number of lines lost.
 * Errors of `service.start`: `TELEMETRY_LOG_FILE`.
 */
export function createLogger(options: LoggerOptions): Log {
  const { console, file, did, clock = systemClock } = options
  const recorder = createRecorder()
  let least = options.level
  const sink = file === undefined ? undefined : createFileSink(file, options)

  function emit(level: LogLevel, message: string, fields: CleanFields): void {
    const record: LogRecord = { at: clock.now(), level, message: cutText(message), fields }
    recorder.add(record)
    if (!isAtLeast(level, least)) return
    console?.write(renderConsoleLine(record))
    const complaint = sink?.write(did === undefined ? record : { ...record, fields: { did, ...fields } })
    if (complaint !== undefined) console?.write(renderConsoleLine({ ...complaint, at: record.at }))
  }

  function createChild(inherited: CleanFields): Logger {
    const at =
      (level: LogLevel) =>
      (message: string, fields: LogFields = {}): void => {
        // The events of quiet logs are kept all the same, but for those that strangers cause by the thousand.
        if (isAtLeast(level, least) || level !== 'debug') emit(level, message, { ...inherited, ...cleanFields(fields) })
      }
    return {
      child: (fields) => createChild({ ...inherited, ...cleanFields(fields) }),
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error')
    }
  }

  return {
    logger: createChild({}),
    service: {
      name: 'telemetry/logger',
      start: () => sink?.start() ?? Promise.resolve(),
      stop: () => Promise.resolve().then(() => sink?.stop())
    },
    level: () => least,
    setLevel(level) {
      least = level
    },
    recent: () => recorder.events()
  }
}

interface FileSink {
  start(): Promise<void>
  /** Returns what the console should say, now and then, when the line could not be written. */
  write(record: LogRecord): Omit<LogRecord, 'at'> | undefined
  stop(): void
}

function createFileSink(path: string, { rotation = DEFAULT_ROTATION, clock = systemClock }: LoggerOptions): FileSink {
  const { maxSizeMb, maxBackups, maxAgeDays } = rotation
  const file = createRotatingFile({ path, clock, maxSize: mebibytes(maxSizeMb), maxBackups, maxAgeDays })
  const losses = createLossReport(path)
  let write: ((record: LogRecord) => void) | undefined

  return {
    async start() {
      if (write !== undefined) return
      try {
        file.open()
        write = await createJsonWriter(file)
      } catch (error) {
        file.close()
        throw new LogFileError(`cannot open the log file ${path}: ${errorMessage(error)}`, { cause: error, details: { path } })
      }
    },
    write(record) {
      try {
        write?.(record)
        return undefined
      } catch (error) {
        return losses.add(record.at, error)
      }
    },
    stop() {
      write = undefined
      file.close()
    }
  }
}

/** Loads pino only here: commands that start no daemon never pay for it. */
async function createJsonWriter(file: RotatingFile): Promise<(record: LogRecord) => void> {
  const { pino } = await import('pino')
  let at: Millis = millis(0)
  const json = pino(
    {
      level: 'debug',
      base: null,
      timestamp: () => `,"timestamp":"${new Date(at).toISOString()}"`,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) }
    },
    file
  )
  return (record) => {
    at = record.at
    json[record.level](record.fields, record.message)
  }
}

interface LossReport {
  add(at: Millis, error: unknown): Omit<LogRecord, 'at'> | undefined
}

function createLossReport(path: string): LossReport {
  let lost = 0
  let lastReport: number = Number.NEGATIVE_INFINITY
  return {
    add(at, error) {
      lost += 1
      if (at - lastReport < COMPLAINT_INTERVAL) return undefined
      lastReport = at
      const fields = cleanFields({ path, lost, error: errorMessage(error) })
      lost = 0
      return { level: 'warn', message: 'the log file cannot be written', fields }
    }
  }
}
