import { Readable } from 'node:stream'
import { type Clock, encodeGoJson, type JsonValue, seconds } from '../base/index.ts'
import { BusyError } from './errors.ts'

/** PORT: what happens on the node; declared here, satisfied by `dms`. */
export interface EventSource {
  /** The behaviour whose reply opens a stream. */
  readonly behavior: string
  /**
   * Opens the stream that the payload of a reply to that behaviour is a ticket for.
   *
   * @param after - Id of the last event that the reader knows; missing for none of the old ones.
   * @returns The end of it.
   */
  open(reply: JsonValue, after: string | undefined, reader: EventReader): () => void
}

/** Who reads a stream. */
export interface EventReader {
  /** Takes an item; false when there is no room for it. */
  take(item: { readonly id: string; readonly type: string; readonly data: JsonValue }): boolean
  /** Nothing follows. */
  end(): void
}

/** What one stream is made of. */
export interface EventStreamOptions {
  readonly source: EventSource
  /** The payload of the reply. */
  readonly reply: JsonValue
  readonly after: string | undefined
  readonly clock: Clock
  /** Aborted when the client goes away and when the server stops. */
  readonly signal: AbortSignal
}

/** How often a silent stream says that it is alive, so that neither end takes the other for gone. */
const HEARTBEAT = seconds(15)

/** Text that waits for a reader, in characters; one that is further behind is let go, and can come back with `Last-Event-ID`. */
const MAX_WAITING = 262_144

/**
 * Opens a stream of server-sent events, as text in the form of the HTML standard.
 *
 * @throws what the source throws when the reply is no ticket or there are too many streams.
 */
export function openEventStream({ source, reply, after, clock, signal }: EventStreamOptions): Readable {
  const lifetime = new AbortController()
  const stream = new Readable({
    encoding: 'utf8',
    read: () => undefined,
    destroy(error, done) {
      lifetime.abort()
      done(error)
    }
  })
  const write = (text: string): boolean => {
    if (stream.destroyed) return false
    if (stream.readableLength > MAX_WAITING) {
      stream.destroy(new BusyError('the reader of the events is too slow'))
      return false
    }
    stream.push(text)
    return true
  }
  const close = source.open(reply, after, {
    take: ({ id, type, data }) => write(`${id === '' ? '' : `id: ${id}\n`}event: ${type}\ndata: ${encodeGoJson(data)}\n\n`),
    end: () => void (stream.destroyed || stream.push(null))
  })
  lifetime.signal.addEventListener('abort', close, { once: true })
  signal.addEventListener('abort', close, { once: true })
  if (signal.aborted || lifetime.signal.aborted) close()
  beat(clock, lifetime.signal, () => write(': still here\n\n')).catch(() => undefined) // the stream ended
  return stream
}

async function beat(clock: Clock, signal: AbortSignal, write: () => boolean): Promise<void> {
  do await clock.sleep(HEARTBEAT, { signal })
  while (write())
}
