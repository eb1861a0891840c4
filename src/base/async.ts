import { setMaxListeners } from 'node:events'
import { type AbortOptions, type Clock, setAlarm } from './clock.ts'
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
  let cancel: (() => void) | undefined
  let endAlarm: (() => void) | undefined
  try {
    return await new Promise<T>((resolve, reject) => {
      cancel = () => reject(new CancelledError(`${what} was cancelled`))
      if (outer !== undefined) follow(outer, cancel)
      endAlarm = setAlarm(clock, limit, () =>
        reject(new TimeoutError(`${what} did not finish within ${limit} ms`, { details: { limitMs: limit } }))
      )
      work(inner.signal).then(resolve, reject) // without effect once it was given up
    })
  } finally {
    endAlarm?.()
    if (cancel !== undefined) outer?.removeEventListener('abort', cancel)
    inner.abort(ENDED)
  }
}

/** Much may follow the signal of a whole life; that is no leak to be warned of. */
function follow(signal: AbortSignal, onAbort: () => void): void {
  setMaxListeners(0, signal)
  signal.addEventListener('abort', onAbort, { once: true })
}

/** What `abort()` makes anew each time, with its stack, which costs more than all the rest here. */
const ENDED = new DOMException('This operation was aborted', 'AbortError')

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
    controller.abort(ENDED)
  }
  setMaxListeners(0, ...followed)
  for (const signal of followed) signal.addEventListener('abort', end, { once: true })
  if (followed.some(({ aborted }) => aborted)) end()
  return { signal: controller.signal, end }
}
