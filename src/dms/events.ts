import type { Clock, Millis, Random } from '../base/index.ts'
import { randomHex } from '../base/index.ts'
import type { DeploymentStatus } from '../protocol/index.ts'
import type { Amount } from './resources/index.ts'

/** What happens on a node, as far as its owner wants to watch it. No secret, no payload, no output of a job. */
export type NodeEvent =
  | { readonly type: 'peer'; readonly peer: string; readonly status: 'connected' | 'disconnected' }
  | { readonly type: 'deployment'; readonly deployment: string; readonly status: DeploymentStatus }
  | { readonly type: 'allocation'; readonly allocation: string; readonly deployment: string; readonly status: string }
  | { readonly type: 'executor'; readonly executor: string; readonly status: 'available' | 'missing'; readonly reason: string }
  | { readonly type: 'offer'; readonly status: 'lent' | 'withdrawn'; readonly amount: Amount }

/** PORT: told what happened, after it is durable. Neither waits nor fails. */
export type Publish = (event: NodeEvent) => void

/** An event with its place in the order of all events of this run. */
export interface RecordedEvent {
  readonly id: string
  readonly at: Millis
  readonly event: NodeEvent
}

/** The latest events of a node, in memory: what happens is told, what is the case is asked for. */
export interface EventLog {
  readonly publish: Publish
  /** Id of the last event; of a node without any, the id before the first one. */
  last(): string
  /**
   * The events after the one with an id, oldest first; all that are kept after an empty id.
   *
   * `isComplete` is false when some are missing: they are too old, or the id is of an earlier run.
   */
  after(id: string): { readonly events: readonly RecordedEvent[]; readonly isComplete: boolean }
  /** Calls back for each new event until the returned function is called. */
  listen(listener: (event: RecordedEvent) => void): () => void
}

/** Events that are kept. */
const CAPACITY = 1024

/** Creates an empty {@link EventLog}. */
export function createEventLog({ clock, random }: { readonly clock: Clock; readonly random: Random }): EventLog {
  const run = randomHex(random, 4)
  const listeners = new Set<(event: RecordedEvent) => void>()
  const kept: RecordedEvent[] = []
  let count = 0
  const idOf = (number: number): string => `${run}-${number}`

  return {
    publish(event) {
      count += 1
      const recorded: RecordedEvent = { id: idOf(count), at: clock.now(), event }
      kept.push(recorded)
      if (kept.length > CAPACITY) kept.shift()
      for (const listener of listeners) listener(recorded)
    },
    last: () => idOf(count),
    after(id) {
      if (id === '') return { events: [...kept], isComplete: true }
      const [named, digits = ''] = id.split('-')
      const number = /^\d{1,15}$/.test(digits) ? Number(digits) : Number.NaN
      const isKnown = named === run && number <= count
      const oldest = count - kept.length
      if (!isKnown || number < oldest) return { events: [...kept], isComplete: false }
      return { events: kept.slice(number - oldest), isComplete: true }
    },
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    }
  }
}
