import { setMaxListeners } from 'node:events'
import type { AbortOptions, Clock } from './clock.ts'
import { CancelledError, TimeoutError } from './errors.ts'
import type { Millis } from './units.ts'

/** Runs tasks one after another, in order of arrival; a failed task does not stop the next one. */
export interface SerialQueue {
  /** Resolves or rejects with what the task did. */
  run<T>(task: () => Promise<T>): Promise<T>
  /** Tasks that wait or run. */
  readonly size: number
  /** Resolves when nothing waits or runs any more. */
  idle(): Promise<void>
}

/** Creates an empty {@link SerialQueue}. */
export function createSerialQueue(): SerialQueue {
  let tail: Promise<unknown> = Promise.resolve()
  let size = 0
  return {
    run<T>(task: () => Promise<T>): Promise<T> {
      size += 1
      const result = tail.then(task, task).finally(() => {
        size -= 1
      })
      tail = result.catch(() => undefined) // the caller of `run` sees the failure
      return result
    },
    get size() {
      return size
    },
    async idle() {
      while (size > 0) await tail
    }
  }
}

/** Applies `work` to every item, at most `limit` at a time; results are in the order of the items. The first failure rejects. */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>
): Promise<R[]> {
  const results: R[] = new Array<R>(items.length)
  const entries = items.entries()
  async function worker(): Promise<void> {
    for (const [index, item] of entries) results[index] = await work(item, index)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  return results
}

/**
 * Runs `work` with a signal that is aborted after `limit` or when the outer signal is.
 *
 * @throws TimeoutError when the time is over first, saying `what` did not finish.
 * @throws CancelledError when the outer signal is aborted first.
 */
export async function withTimeout<T>(
  clock: Clock,
  limit: Millis,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  { signal: outer }: AbortOptions = {}
): Promise<T> {
  if (outer?.aborted === true) throw new CancelledError(`${what} was cancelled`)
  const inner = new AbortController()
  const timer = new AbortController()
  const expired = clock.sleep(limit, { signal: timer.signal }).then(
    () => new TimeoutError(`${what} did not finish within ${limit} ms`, { details: { limitMs: limit } }),
    () => undefined // the work ended first
  )
  let onAbort: (() => void) | undefined
  const cancelled = new Promise<CancelledError>((resolve) => {
    onAbort = () => resolve(new CancelledError(`${what} was cancelled`))
    outer?.addEventListener('abort', onAbort, { once: true })
  })
  try {
    const running = work(inner.signal)
    const outcome = await Promise.race([
      running.then((value) => ({ value })),
      Promise.race([expired, cancelled]).then((failure) => ({ failure }))
    ])
    if ('value' in outcome) return outcome.value
    if (outcome.failure === undefined) return await running
    running.catch(() => undefined) // given up: its outcome no longer matters
    throw outcome.failure
  } finally {
    timer.abort()
    inner.abort()
    if (onAbort !== undefined) outer?.removeEventListener('abort', onAbort)
  }
}

/** One signal that is aborted as soon as any of the given ones is. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const given = signals.filter((signal) => signal !== undefined)
  const [only] = given
  return only !== undefined && given.length === 1 ? only : AbortSignal.any(given)
}

/** A signal of its own that also follows others. */
export interface LinkedSignal {
  readonly signal: AbortSignal
  /** Aborts it and lets go of the others. */
  end(): void
}

/**
 * A signal that is aborted with any of the given ones, or by its own `end`.
 *
 * For work of which there is much under a signal that lives long: `AbortSignal.any` leaves an entry at such a signal for good.
 */
export function linkSignals(...signals: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController()
  const followed = signals.filter((signal) => signal !== undefined)
  function end(): void {
    for (const signal of followed) signal.removeEventListener('abort', end)
    controller.abort()
  }
  setMaxListeners(0, ...followed)
  for (const signal of followed) signal.addEventListener('abort', end, { once: true })
  if (followed.some(({ aborted }) => aborted)) end()
  return { signal: controller.signal, end }
}
