import type { Connection, Stream } from '@libp2p/interface'
import { CancelledError, type Clock, errorMessage, millis, TimeoutError, withTimeout } from '../base/index.ts'
import { createDeadlines } from './deadlines.ts'
import { UnreachableError } from './errors.ts'
import { createKeptLink, type KeptLink, type LinkEnd } from './kept-link.ts'
import { type KeptQueue, type Outgoing, PART_BYTES } from './kept-outbox.ts'
import type { NetworkLimits } from './limits.ts'

/** A stream, and the connection that carries it. */
export interface OpenedStream {
  readonly stream: Stream
  readonly connection: Connection
}

/** What a {@link KeptChannel} needs. */
export interface ChannelOptions {
  readonly peer: string
  readonly open: (signal: AbortSignal) => Promise<OpenedStream>
  /** Whether a better connection to the peer is open than this one. */
  readonly isOutdone: (connection: Connection) => boolean
  readonly limits: NetworkLimits
  readonly clock: Clock
  /** A stream was opened, or ended. */
  readonly onStreams: (change: 1 | -1) => void
  /** Messages were written a second time, because their stream broke before their receipt. */
  readonly onRetry: (messages: number) => void
  /** Nothing is queued and no stream is open: the channel can be forgotten. */
  readonly onEmpty: () => void
}

/** Everything that goes to one peer over kept streams, one at a time. */
export interface KeptChannel {
  /**
   * Resolves when the message was written and its inbox is known to exist. A stream that breaks before the receipt came gives
   * it to one more stream.
   *
   * @throws TimeoutError after `sendTimeout`. NotSpokenError when the peer does not speak the protocol after all. UnreachableError, NoSuchInboxError, BusyError.
   * What opening the stream throws.
   */
  send(inbox: string, payload: Uint8Array, signal: AbortSignal | undefined): Promise<void>
  /** Fails what waits and resets the stream. */
  close(): void
}

/** The peer does not speak the protocol, whatever it said; never leaves the module. */
export class NotSpokenError extends Error {}

/** Streams that a message is given to. */
const MAX_ATTEMPTS = 2

/** Creates a channel without a stream. */
export function createKeptChannel(options: ChannelOptions): KeptChannel {
  const { peer, limits, clock } = options
  const queue: KeptQueue = { short: new Set(), long: new Set() }
  const closed = new AbortController()
  let link: KeptLink | undefined
  let connection: Connection | undefined
  let isOpening = false
  let hasWritten = false
  let isDue = false

  const queueOf = ({ payload }: Outgoing): Set<Outgoing> => (payload.length > PART_BYTES ? queue.long : queue.short)
  const isQueueEmpty = (): boolean => queue.short.size + queue.long.size === 0

  function takeQueue(): readonly Outgoing[] {
    const all = [...queue.short, ...queue.long]
    queue.short.clear()
    queue.long.clear()
    return all
  }

  async function open(): Promise<void> {
    if (isOpening || closed.signal.aborted) return
    isOpening = true
    try {
      const opened = await withTimeout(clock, limits.sendTimeout, `opening a stream to ${peer}`, options.open, closed)
      connection = opened.connection
      const fresh: KeptLink = createKeptLink({
        stream: opened.stream,
        peer,
        queue,
        limits,
        clock,
        onEnd: (end) => {
          options.onStreams(-1)
          if (link === fresh) link = undefined
          takeBack(end)
        }
      })
      options.onStreams(1)
      link = fresh
      fresh.pump()
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(errorMessage(error))
      for (const message of takeQueue()) message.fail(failure)
    } finally {
      isOpening = false
      if (link === undefined) settleOrOpen()
    }
  }

  function settleOrOpen(): void {
    if (isOpening || link !== undefined) return
    if (isQueueEmpty()) options.onEmpty()
    else void open()
  }

  function takeBack({ unsettled, wasAnswered, reason }: LinkEnd): void {
    const failure = new UnreachableError(`the stream to ${peer} broke: ${reason}`)
    const again = unsettled.filter((message) => {
      if (wasAnswered && message.attempts < MAX_ATTEMPTS && !closed.signal.aborted) return true
      message.fail(wasAnswered ? failure : new NotSpokenError(reason))
      return false
    })
    if (again.length > 0) options.onRetry(again.length)
    const waiting = takeQueue()
    for (const message of [...again, ...waiting]) queueOf(message).add(message)
    if (link === undefined) settleOrOpen()
    else link.pump()
  }

  /** The first message of a turn leaves at its end, all others of the same turn together. */
  function schedule(): void {
    if (hasWritten || isDue) return
    isDue = true
    queueMicrotask(() => {
      isDue = false
      hasWritten = true
      pump()
      setImmediate(() => {
        hasWritten = false
        if (!isQueueEmpty()) pump()
      })
    })
  }

  function pump(): void {
    if (link !== undefined && connection !== undefined && (link.isFull() || options.isOutdone(connection))) {
      link.retire()
      link = undefined
    }
    if (link === undefined) void open()
    else link.pump()
  }

  const waiting = createDeadlines(clock, closed.signal)

  return {
    send(inbox, payload, signal) {
      return new Promise((resolve, reject) => {
        const what = `sending to inbox ${inbox} of ${peer}`
        if (signal?.aborted === true || closed.signal.aborted) {
          reject(new CancelledError(`${what} was cancelled`))
          return
        }
        const settle = (): void => {
          signal?.removeEventListener('abort', cancel)
          endDeadline()
        }
        const message: Outgoing = {
          inbox,
          payload: Buffer.from(payload), // a copy: the caller may change its own
          attempts: 0,
          done() {
            settle()
            resolve()
          },
          fail(error) {
            settle()
            reject(error)
          }
        }
        const giveUp = (error: Error): void => {
          queueOf(message).delete(message)
          message.fail(error)
        }
        const cancel = (): void => giveUp(new CancelledError(`${what} was cancelled`))
        const endDeadline = waiting.add(millis(clock.now() + limits.sendTimeout), () =>
          giveUp(new TimeoutError(`${what} did not finish within ${limits.sendTimeout} ms`))
        )
        signal?.addEventListener('abort', cancel, { once: true })
        queueOf(message).add(message)
        schedule()
      })
    },
    close() {
      closed.abort()
      link?.cut('the node stopped')
      const failure = new CancelledError(`sending to ${peer} was cancelled: the node stopped`)
      for (const message of takeQueue()) message.fail(failure)
    }
  }
}
