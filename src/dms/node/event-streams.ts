import { isStillAllowed, type VerifiedEnvelope } from '../../actor/index.ts'
import {
  type Clock,
  errorMessage,
  isJsonObject,
  type JsonValue,
  type Logger,
  type Millis,
  millis,
  type Random,
  randomHex,
  type Service,
  seconds
} from '../../base/index.ts'
import { nodeEvents } from '../../protocol/index.ts'
import type { CapabilityContext } from '../../ucan/index.ts'
import type { EventLog, RecordedEvent } from '../events.ts'
import { BadTicketError, TooManyStreamsError } from './errors.ts'
import { toWireEvent } from './wire-events.ts'

/** One message of a stream: an event, or a word about the stream itself (`gap`, `live`, `end`), which has no data of its own. */
export interface StreamItem {
  readonly id: string
  readonly type: string
  readonly data: JsonValue
}

/** Who reads a stream. */
export interface StreamReader {
  /** Takes an item; false when the reader is too slow for more, and then its stream ends. */
  take(item: StreamItem): boolean
  /** Nothing follows. */
  end(): void
}

/**
 * Streams of events for whoever may ask for `/dms/node/events`.
 *
 * The behaviour's handler, which only a verified message reaches, gives a ticket; the REST interface redeems the one that is in
 * the reply. So no second way to authorise anybody exists.
 */
export interface EventStreams extends Service {
  /** The behaviour that gives tickets. */
  readonly behavior: string
  /** A ticket for one stream, for ten seconds; `after` is where it begins unless its reader says otherwise. */
  ticketFor(envelope: VerifiedEnvelope, after?: string): string
  /**
   * Redeems the ticket in a reply: what was kept comes at once, then `live`, then what happens, until the message expires or is not
   * allowed any more, the reader is too slow, or the returned function is called.
   *
   * @param after - The last event that the reader knows; empty for all that are kept, missing for what the request said, or none.
   * @throws BadTicketError, TooManyStreamsError
   */
  open(reply: JsonValue, after: string | undefined, reader: StreamReader): () => void
}

/** How long a ticket lives: the interface redeems it as soon as it has the reply. */
const TICKET_LIFE = seconds(10)
const MAX_TICKETS = 256

/** Streams at once, of all and of one caller. */
const MAX_STREAMS = 64
const MAX_STREAMS_PER_CALLER = 16

/** How often it is looked whether the reader may still read. */
const RECHECK_INTERVAL = seconds(10)

interface Ticket {
  readonly envelope: VerifiedEnvelope
  readonly after: string | undefined
  readonly expiresAt: Millis
}

/** Creates the streams of a node. */
export function createEventStreams(options: {
  readonly events: EventLog
  readonly context: CapabilityContext
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}): EventStreams {
  const { events, context, clock, random, log } = options
  const tickets = new Map<string, Ticket>()
  const streams = new Map<symbol, { readonly caller: string; readonly end: (reason: string) => void }>()

  function redeem(reply: JsonValue): Ticket {
    const name = isJsonObject(reply) ? reply['stream'] : undefined
    const ticket = typeof name === 'string' ? tickets.get(name) : undefined
    if (typeof name === 'string') tickets.delete(name)
    if (ticket === undefined || ticket.expiresAt < clock.now()) throw new BadTicketError('the reply has no ticket for a stream')
    return ticket
  }

  function admit(caller: string): void {
    const own = [...streams.values()].filter((stream) => stream.caller === caller).length
    if (streams.size >= MAX_STREAMS || own >= MAX_STREAMS_PER_CALLER) {
      throw new TooManyStreamsError(`${own} streams of events are open for ${caller} already, ${streams.size} in all`)
    }
  }

  /** Ends a stream when its message expires or its right is gone. */
  async function watchRight(envelope: VerifiedEnvelope, end: (reason: string) => void, signal: AbortSignal): Promise<void> {
    for (;;) {
      const left = envelope.expiresAt - clock.now()
      await clock.sleep(millis(Math.max(0, Math.min(left, RECHECK_INTERVAL))), { signal })
      if (clock.now() >= envelope.expiresAt) return end('expired')
      if (!isStillAllowed(envelope, context, clock.now())) return end('not allowed any more')
    }
  }

  return {
    name: 'event streams',
    behavior: nodeEvents.name,
    start: () => Promise.resolve(),
    stop() {
      for (const { end } of [...streams.values()]) end('the node stops')
      return Promise.resolve()
    },
    ticketFor(envelope, after) {
      const now = clock.now()
      for (const [name, { expiresAt }] of tickets) if (expiresAt < now || tickets.size >= MAX_TICKETS) tickets.delete(name)
      const name = randomHex(random, 16)
      tickets.set(name, { envelope, after, expiresAt: millis(now + TICKET_LIFE) })
      return name
    },
    open(reply, after, reader) {
      const { envelope, after: from } = redeem(reply)
      const caller = envelope.authorization?.origin ?? envelope.from.did
      admit(caller)
      const key = Symbol(caller)
      const lifetime = new AbortController()
      const close = (): void => {
        if (!streams.delete(key)) return
        stopListening()
        lifetime.abort()
        reader.end()
      }
      const end = (reason: string): void => {
        if (streams.has(key)) reader.take({ id: events.last(), type: 'end', data: { reason } })
        close()
      }
      const give = (item: StreamItem): void => {
        if (!streams.has(key) || reader.take(item)) return
        log.info('a reader of events was too slow', { caller })
        close()
      }
      const stopListening = events.listen((event) => give(toItem(event)))
      streams.set(key, { caller, end })
      for (const item of backlog(events, after ?? from)) give(item)
      watchRight(envelope, end, lifetime.signal).catch((error: unknown) => {
        if (!lifetime.signal.aborted) log.error('a stream of events is not watched any more', { error: errorMessage(error) })
        close()
      })
      return close
    }
  }
}

function backlog(events: EventLog, after: string | undefined): readonly StreamItem[] {
  const { events: missed, isComplete } = after === undefined ? { events: [], isComplete: true } : events.after(after)
  const gap: StreamItem = { id: '', type: 'gap', data: {} }
  return [...(isComplete ? [] : [gap]), ...missed.map(toItem), { id: events.last(), type: 'live', data: {} }]
}

function toItem(recorded: RecordedEvent): StreamItem {
  return { id: recorded.id, type: recorded.event.type, data: toWireEvent(recorded) }
}
