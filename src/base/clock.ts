import { setMaxListeners } from 'node:events'
import { CancelledError } from './errors.ts'
import { type Millis, millis } from './units.ts'

/** Last option of every asynchronous operation that can be given up. */
export interface AbortOptions {
  readonly signal?: AbortSignal
}

/** The only source of time of the domain: virtual in tests and in the simulator. */
export interface Clock {
  /** The current instant, in milliseconds since the Unix epoch. */
  now(): Millis
  /**
   * Resolves after `duration`.
   *
   * @throws CancelledError when the signal is aborted first.
   */
  sleep(duration: Millis, options?: AbortOptions): Promise<void>
  /** See {@link setAlarm}. Default: a sleep, which costs more to give up than all the rest of a message. */
  readonly alarm?: (duration: Millis, ring: () => void) => () => void
}

/** Calls `ring` after `duration`, unless the returned end is called first; for deadlines, of which hardly any comes. */
export function setAlarm(clock: Clock, duration: Millis, ring: () => void): () => void {
  if (clock.alarm !== undefined) return clock.alarm(duration, ring)
  const end = new AbortController()
  clock.sleep(duration, { signal: end.signal }).then(
    () => {
      if (!end.signal.aborted) ring()
    },
    () => undefined // ended first
  )
  return () => end.abort()
}

/** The longest time that a timer of this machine can wait. */
const LONGEST_TIMER = 2 ** 31 - 1

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => millis(Date.now()),
  sleep: (duration, { signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(new CancelledError('sleep was cancelled'))
        return
      }
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(new CancelledError('sleep was cancelled'))
      }
      const timer = setTimeout(
        () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
        Math.min(duration, LONGEST_TIMER)
      )
      if (signal === undefined) return
      setMaxListeners(0, signal) // many sleep under the signal of a whole life; that is no leak to be warned of
      signal.addEventListener('abort', onAbort, { once: true })
    }),
  alarm: (duration, ring) => {
    const timer = setTimeout(ring, Math.min(duration, LONGEST_TIMER))
    return () => clearTimeout(timer)
  }
}
