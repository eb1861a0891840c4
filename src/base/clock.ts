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
}

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
        Math.min(duration, 2 ** 31 - 1)
      )
      if (signal === undefined) return
      setMaxListeners(0, signal) // many sleep under the signal of a whole life; that is no leak to be warned of
      signal.addEventListener('abort', onAbort, { once: true })
    })
}
