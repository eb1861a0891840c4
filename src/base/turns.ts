import { type Clock, systemClock } from './clock.ts'
import { type Millis, millis } from './units.ts'

/**
 * How long work may keep everything else from happening: a turn of the event loop is a budget, and who has used it up waits for
 * the next one. Counted in tests and in the simulator, measured in a daemon.
 */
export interface Turns {
  /** Whether more may be done in this turn; always so for the first piece of work in it. */
  mayGoOn(): boolean
  /** Resolves in a later turn, after others had theirs. */
  next(): Promise<void>
}

/** The turns of this process: each may work for `budget`, and between two of them timers and connections have their turn. */
export function createSystemTurns(budget: Millis): Turns {
  let begun: number | undefined
  const begin = (): void => {
    begun = performance.now()
    setImmediate(() => {
      begun = undefined
    })
  }
  return {
    mayGoOn() {
      if (begun !== undefined) return performance.now() - begun < budget
      begin()
      return true
    },
    next: () => new Promise((resolve) => setImmediate(resolve))
  }
}

/** Turns that end after `pieces` pieces of work at one instant of the clock: the same on every run. */
export function createCountedTurns(pieces: number, clock: Clock = systemClock): Turns {
  let at: number = clock.now()
  let done = 0
  return {
    mayGoOn() {
      const now = clock.now()
      if (now !== at) {
        at = now
        done = 0
      }
      done += 1
      return done <= pieces
    },
    async next() {
      await clock.sleep(millis(0))
      done = 0
    }
  }
}
