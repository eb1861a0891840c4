import { CancelledError, type Clock, type Millis, millis } from '../base/index.ts'

/** A clock that jumps: time passes only while {@link VirtualClock.run} waits for something. */
export interface VirtualClock extends Clock {
  /**
   * Lets time pass from timer to timer, with pauses for everything that is due to happen in between, until `work` settles.
   *
   * @throws Error when nothing is left to wait for, or when `limit` (default one day) has passed.
   */
  run<T>(work: Promise<T>, limit?: Millis): Promise<T>
}

interface Timer {
  readonly at: number
  readonly order: number
  readonly fire: () => void
}

/** Turns of the event loop without a pending file operation before time jumps: messages and stores take a few turns each. */
const QUIET_TURNS = 40

function isWaitingForFiles(): boolean {
  return process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq') || resource === 'CloseReq')
}

/** Creates a clock that stands at `start`. */
export function createVirtualClock(start = millis(1_800_000_000_000)): VirtualClock {
  const timers = new Set<Timer>()
  let now: number = start
  let order = 0

  function fireNext(limit: number): void {
    const next = [...timers].sort((a, b) => a.at - b.at || a.order - b.order)[0]
    if (next === undefined) throw new Error('nothing will ever happen: no timer is set')
    if (next.at > limit) throw new Error(`not settled within the limit of virtual time`)
    timers.delete(next)
    now = Math.max(now, next.at)
    next.fire()
  }

  return {
    now: () => millis(now),
    sleep: (duration, { signal } = {}) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(new CancelledError('sleep was cancelled'))
          return
        }
        order += 1
        const onAbort = (): void => {
          timers.delete(timer)
          reject(new CancelledError('sleep was cancelled'))
        }
        const timer: Timer = {
          at: now + Math.max(0, duration),
          order,
          fire: () => {
            signal?.removeEventListener('abort', onAbort)
            resolve()
          }
        }
        timers.add(timer)
        signal?.addEventListener('abort', onAbort, { once: true })
      }),
    async run(work, limit = millis(86_400_000)) {
      const last = now + limit
      const progress = { isSettled: false }
      const settle = (): void => {
        progress.isSettled = true
      }
      work.then(settle, settle)
      for (;;) {
        for (let turn = 0; turn < QUIET_TURNS; turn = isWaitingForFiles() ? 0 : turn + 1) {
          await new Promise((resolve) => setImmediate(resolve))
          if (progress.isSettled) return work
        }
        fireNext(last)
      }
    }
  }
}
