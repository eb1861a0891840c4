import type { Actor } from '../../actor/index.ts'
import { encodeGoJson, type JsonValue, type Logger, parseJson } from '../../base/index.ts'
import { flightRecorder, loggerConfig, type ValueOf } from '../../protocol/index.ts'
import { BadRequestError, LogSettingError } from './errors.ts'
import type { LogControl, LogEvent } from './host.ts'

/** What the log behaviours speak to. */
export interface LogBehaviorsOptions {
  readonly actor: Actor
  readonly logs: LogControl
  readonly log: Logger
}

type LogSettings = ValueOf<typeof loggerConfig.request>

/** Events in one reply when no number is asked for, and their bytes at most. */
const DEFAULT_EVENTS = 200
const EVENT_BYTES = 600_000

const NOT_PERSISTED = 'this counts until the next start; observability.logging.level in the configuration file counts for good'

/** Serves `/dms/node/logger/config` and `/dms/debug/flightrec` (B §7.1). */
export function serveLogBehaviors({ actor, logs, log }: LogBehaviorsOptions): void {
  actor.on(loggerConfig, async (settings, envelope) => {
    applySettings(settings, logs)
    log.info('log settings changed', { least: logs.level(), by: envelope.authorization?.origin ?? envelope.from.did })
    const lasting = settings.level === undefined ? {} : { persisted: false, notices: [NOT_PERSISTED] }
    return { ok: true, error: '', level: logs.level(), ...lasting }
  })
  actor.on(flightRecorder, async ({ limit = DEFAULT_EVENTS, level }) => {
    const least = level === undefined ? 0 : rankOf(level, logs)
    const wanted = logs.recent().filter((event) => rankOf(event.level, logs) >= least)
    const events = fitting(wanted.slice(limit === 0 ? wanted.length : -limit).map(toWire))
    const omitted = wanted.length - events.length
    return { error: '', events, ...(omitted === 0 ? {} : { omitted }) }
  })
}

/**
 * Applies one setting after the other, up to the first that cannot be; those before it stay applied (B §7.1).
 *
 * @throws LogSettingError naming the setting, why, and what was applied before it.
 */
function applySettings(settings: LogSettings, logs: LogControl): void {
  const applied: string[] = []
  const given = STEPS.filter(({ name }) => settings[name] !== undefined)
  if (given.length === 0) {
    throw new BadRequestError(`nothing to set: give a level, one of ${logs.levels.join(', ')}`)
  }
  for (const { label, apply } of given) {
    const problem = apply(settings, logs)
    if (problem !== undefined) {
      const before = applied.length === 0 ? '' : `; applied before: ${applied.join(', ')}`
      throw new LogSettingError(`${label}: ${problem}${before}`)
    }
    applied.push(label)
  }
}

interface Step {
  readonly name: keyof LogSettings
  readonly label: string
  /** What is wrong. */
  apply(settings: LogSettings, logs: LogControl): string | undefined
}

const NO_ELASTIC = 'this version sends its log to no Elasticsearch service'

/** In the order of the reference; no step ever repeats a key. */
const STEPS: readonly Step[] = [
  { name: 'interval', label: 'interval', apply: () => `${NO_ELASTIC}, so there is no interval to set` },
  { name: 'url', label: 'url', apply: () => NO_ELASTIC },
  {
    name: 'level',
    label: 'level',
    apply: ({ level = '' }, logs) =>
      logs.setLevel(level) ? undefined : `${JSON.stringify(level)} is none of ${logs.levels.join(', ')}`
  },
  { name: 'apiKey', label: 'api_key', apply: () => NO_ELASTIC },
  { name: 'apmUrl', label: 'apm_url', apply: () => 'this version sends no traces to an APM service' },
  {
    name: 'elasticEnabled',
    label: 'elastic_enabled',
    apply: ({ elasticEnabled }) => (elasticEnabled === true ? NO_ELASTIC : undefined)
  }
]

function rankOf(level: string, { levels }: LogControl): number {
  const rank = levels.indexOf(level.toLowerCase())
  if (rank === -1) throw new BadRequestError(`level ${JSON.stringify(level)} is none of ${levels.join(', ')}`)
  return rank
}

function toWire({ at, level, message, fields }: LogEvent) {
  const json = parseJson(encodeGoJson(fields))
  const plain: JsonValue = json.ok ? json.value : {}
  return { at: new Date(at).toISOString(), level, message, fields: plain }
}

/** The newest that fit into one message, in their order. */
function fitting<T>(events: readonly T[]): readonly T[] {
  let left = EVENT_BYTES
  const lastThatDoesNot = events.findLastIndex((event) => {
    left -= Buffer.byteLength(encodeGoJson(event))
    return left < 0
  })
  return events.slice(lastThatDoesNot + 1)
}
