import { type Chance, createChance } from './chance.ts'
import { createEventQueue, type ScheduledEvent } from './event-queue.ts'
import { createTrace, type Trace } from './trace.ts'

/** Where the clocks of a simulated world begin, in milliseconds since the Unix epoch: 2027-01-15 08:00 UTC. */
export const WORLD_START = 1_800_000_000_000

/** Something that must never happen has happened. */
export interface Violation {
  /** Milliseconds since the start of the world. */
  readonly at: number
  /** The invariant, in one word. */
  readonly invariant: string
  readonly message: string
}

/** Time, chance and record of one simulated world. Nothing in it depends on anything but its seed and what is put in. */
export interface World {
  readonly chance: Chance
  readonly trace: Trace
  /** Virtual time in milliseconds since the Unix epoch. */
  now(): number
  /** Has something happen later, as an event of its own. */
  after(delay: number, run: () => void): ScheduledEvent
  cancel(event: ScheduledEvent): void
  /** Resolves in an event of its own. */
  sleep(delay: number): Promise<void>
  /** Adds a line to the trace. */
  note(who: string, text: string): void
  /** Records a violation; the run ends after the event that it happened in. */
  violate(invariant: string, message: string): void
  readonly violations: readonly Violation[]
  readonly events: number
  /** Lets time pass event by event until `end`, nothing is left, or an invariant is violated. */
  run(end: number): Promise<void>
}

/** Creates a world at {@link WORLD_START} in which nothing is planned. */
export function createWorld(seed: string, print?: (line: string) => void): World {
  const queue = createEventQueue()
  const trace = createTrace(print)
  const violations: Violation[] = []
  let now = WORLD_START
  let events = 0

  const after = (delay: number, run: () => void): ScheduledEvent => queue.add(now + Math.max(0, Math.ceil(delay)), run)
  const note = (who: string, text: string): void => trace.line(now - WORLD_START, who, text)

  return {
    chance: createChance(seed),
    trace,
    now: () => now,
    after,
    cancel: (event) => queue.cancel(event),
    sleep: (delay) => new Promise((resolve) => void after(delay, resolve)),
    note,
    violate(invariant, message) {
      violations.push({ at: now - WORLD_START, invariant, message })
      note('!', `${invariant}: ${message}`)
    },
    violations,
    get events() {
      return events
    },
    async run(end) {
      await settled()
      while (violations.length === 0) {
        const at = queue.nextAt()
        if (at === undefined || at > end) break
        now = Math.max(now, at)
        events += 1
        queue.take()?.run()
        await settled()
      }
      if (violations.length === 0) now = Math.max(now, end)
    }
  }
}

/**
 * Resolves once nothing is left to do for what has happened so far: nodes wait for nothing but ports of the world, so everything
 * that follows from an event runs before the next turn of the event loop.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
