import type { Actor } from '../../actor/index.ts'
import { nodeEvents } from '../../protocol/index.ts'
import type { EventLog } from '../events.ts'
import type { EventStreams } from './event-streams.ts'
import { describeEvent } from './wire-events.ts'

/** Events of one reply when no number is asked for. */
const DEFAULT_LIMIT = 100

/** Serves the latest events, with a ticket for those that follow. */
export function serveEventBehaviors(actor: Actor, events: EventLog, streams: Pick<EventStreams, 'ticketFor'>): void {
  actor.on(nodeEvents, async ({ after, limit = DEFAULT_LIMIT }, envelope) => {
    const found = events.after(after ?? '').events
    // Who knows none wants the newest; who knows one wants what came next.
    const page = after === undefined || after === '' ? found.slice(-limit) : found.slice(0, limit)
    return { events: page.map(describeEvent), last: page.at(-1)?.id ?? events.last(), stream: streams.ticketFor(envelope, after) }
  })
}
