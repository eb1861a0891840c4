import { type Clock, errorMessage, type Logger, type Service, seconds } from '../../base/index.ts'
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

/** Longest time for one probe. */
const PROBE_LIMIT_MS = 5000

/** Watches the executors; the first probe ends before `start` resolves. */
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
    const found = new Set<string>()
    const missing = new Map<string, string>()
    for (const [kind, executor] of executors) {
      const reason = await probe(executor)
      if (reason === undefined) found.add(kind)
      else missing.set(kind, reason)
      if (available.has(kind) === found.has(kind)) continue
      log.info('executor', { executor: kind, available: found.has(kind), reason })
      onChange(kind, reason)
    }
    available = found
    reasons = missing
  }

  async function probe(executor: Executor): Promise<string | undefined> {
    const limit = new AbortController()
    const timer = new AbortController()
    void clock
      .sleep(seconds(PROBE_LIMIT_MS / 1000), { signal: timer.signal })
      .then(() => limit.abort())
      .catch(() => undefined) // the probe ended first
    try {
      const outcome = await executor.probe({ signal: limit.signal })
      return outcome.available ? undefined : outcome.reason
    } catch (error) {
      return errorMessage(error)
    } finally {
      timer.abort()
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
