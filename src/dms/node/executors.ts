import { type Clock, errorMessage, type Logger, type Service, seconds, TimeoutError, withTimeout } from '../../base/index.ts'
import type { Executor } from '../../executor/index.ts'

/** Which executors work on this machine now. */
export interface ExecutorWatch extends Service {
  /** Kinds whose last probe passed. */
  available(): ReadonlySet<string>
  /** Why the others do not work. */
  reasons(): ReadonlyMap<string, string>
}

/** How often executors are probed: one that comes or goes is noticed within half a minute. */
const PROBE_INTERVAL = seconds(20)

/** Longest time for one probe; what hangs longer, as a socket that accepts and never answers, counts as gone. */
const PROBE_LIMIT = seconds(5)

/**
 * Watches the executors; the first probe ends before `start` resolves.
 *
 * All are probed at the same time and none for longer than five seconds, whether or not it obeys its signal: one that hangs
 * delays neither the others nor the stop.
 */
export function createExecutorWatch({
  executors,
  clock,
  log,
  onChange = () => undefined
}: {
  readonly executors: ReadonlyMap<string, Executor>
  readonly clock: Clock
  readonly log: Logger
  /** Told when an executor comes or goes; with the reason when it goes. */
  readonly onChange?: (kind: string, reason: string | undefined) => void
}): ExecutorWatch {
  const lifetime = new AbortController()
  let available: ReadonlySet<string> = new Set()
  let reasons: ReadonlyMap<string, string> = new Map()

  async function probeAll(): Promise<void> {
    const probes = await Promise.all([...executors].map(async ([kind, executor]) => [kind, await probe(kind, executor)] as const))
    if (lifetime.signal.aborted) return // what was cut off says nothing
    const before = available
    available = new Set(probes.flatMap(([kind, reason]) => (reason === undefined ? [kind] : [])))
    reasons = new Map(probes.flatMap(([kind, reason]) => (reason === undefined ? [] : [[kind, reason]])))
    for (const [kind, reason] of probes) {
      if (before.has(kind) === available.has(kind)) continue
      log.info('executor', { executor: kind, available: available.has(kind), reason })
      onChange(kind, reason)
    }
  }

  /** Why it does not work; `undefined` when it does. */
  async function probe(kind: string, executor: Executor): Promise<string | undefined> {
    try {
      const work = (signal: AbortSignal) => executor.probe({ signal })
      const outcome = await withTimeout(clock, PROBE_LIMIT, `probing ${kind}`, work, { signal: lifetime.signal })
      return outcome.available ? undefined : outcome.reason
    } catch (error) {
      return error instanceof TimeoutError ? `it does not answer within ${PROBE_LIMIT / 1000} s` : errorMessage(error)
    }
  }

  async function keepProbing(): Promise<void> {
    for (;;) {
      await clock.sleep(PROBE_INTERVAL, { signal: lifetime.signal })
      await probeAll()
    }
  }

  return {
    name: 'executors',
    async start() {
      await probeAll()
      keepProbing().catch((error: unknown) => {
        if (!lifetime.signal.aborted) log.error('probing ended', { error: errorMessage(error) })
      })
    },
    stop() {
      lifetime.abort()
      return Promise.resolve()
    },
    available: () => available,
    reasons: () => reasons
  }
}
