import { type Clock, type Millis, millis } from '../base/index.ts'

/** Many deadlines for the price of one timer; each is as far away as those before it, or farther. */
export interface Deadlines {
  /** Calls `expire` once the instant has come; returns the end. */
  add(instant: Millis, expire: () => void): () => void
}

interface Deadline {
  readonly instant: Millis
  readonly expire: () => void
}

/** Creates deadlines that end with `signal`. */
export function createDeadlines(clock: Clock, signal: AbortSignal): Deadlines {
  const pending = new Set<Deadline>()
  let isWatched = false

  async function watch(): Promise<void> {
    isWatched = true
    try {
      for (let [next] = pending; next !== undefined; [next] = pending) {
        const now = clock.now()
        if (next.instant > now) await clock.sleep(millis(next.instant - now), { signal })
        else {
          pending.delete(next)
          next.expire()
        }
      }
    } finally {
      isWatched = false
    }
  }

  return {
    add(instant, expire) {
      const deadline = { instant, expire }
      pending.add(deadline)
      if (!isWatched && !signal.aborted) watch().catch(() => undefined) // all has ended
      return () => void pending.delete(deadline)
    }
  }
}
