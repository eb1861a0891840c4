import type { Stream } from '@libp2p/interface'
import { type Clock, errorMessage, millis } from '../base/index.ts'
import { BusyError, FrameRefusedError, NoSuchInboxError } from './errors.ts'
import { decodeFrame, encodeFrames, type HelloFrame, type KeptFrame, type Receipt, type Window } from './kept-frames.ts'
import { createKeptOutbox, type KeptQueue, type Outgoing } from './kept-outbox.ts'
import { createKeptReader } from './kept-reader.ts'
import type { NetworkLimits } from './limits.ts'

/** How a kept stream of this node ended. */
export interface LinkEnd {
  /** What has no receipt, oldest first. */
  readonly unsettled: readonly Outgoing[]
  /** Whether the receiver ever said anything on it. */
  readonly wasAnswered: boolean
  readonly reason: string
}

/** What a {@link KeptLink} needs. */
export interface LinkOptions {
  readonly stream: Stream
  readonly peer: string
  readonly queue: KeptQueue
  readonly limits: NetworkLimits
  readonly clock: Clock
  /** Called once, at the end. */
  readonly onEnd: (end: LinkEnd) => void
}

/** One outgoing kept stream. */
export interface KeptLink {
  /** Writes what is queued, as far as it may; to be called when something was queued. Never throws. */
  pump(): void
  /** Takes no more messages; the stream ends when what has begun is written and all receipts are in. */
  retire(): void
  /** Whether the ids of this stream are used up, so that it should be retired. */
  isFull(): boolean
  /** Resets the stream. */
  cut(reason: string): void
}

/** What may be on its way before the receiver has said what it takes. */
export const FIRST_WINDOW: Window = { messages: 64, bytes: 262_144 }

/** Messages of one stream, after which a new one is opened: ids have 32 bits. */
const MAX_ID = 2 ** 31

/** Inboxes of one peer that are remembered to exist. */
const MAX_KNOWN = 256

/** Begins to write to a fresh stream. */
export function createKeptLink({ stream, peer, queue, limits, clock, onEnd }: LinkOptions): KeptLink {
  const outbox = createKeptOutbox(queue)
  const known = new Set<string>()
  const ended = new AbortController()
  const { signal } = ended
  const own: Window = { messages: limits.keptWindow, bytes: limits.keptWindowBytes }
  let window: Window = FIRST_WINDOW
  let opening: readonly KeptFrame[] = [{ type: 'hello', features: 0, window: own }]
  let isWriting = false
  let isRetired = false
  let wasAnswered = false
  let lastProgress: number = clock.now()
  let lastUse: number = lastProgress

  function end(reason: string): void {
    if (signal.aborted) return
    ended.abort()
    if (stream.status === 'open' || stream.status === 'closing') {
      if (outbox.isIdle()) closeQuietly()
      else stream.abort(new Error(reason))
    }
    onEnd({ unsettled: outbox.takeAll(), wasAnswered, reason })
  }

  function closeQuietly(): void {
    stream.close({ signal: AbortSignal.timeout(limits.receiptTimeout) }).catch((error: unknown) => {
      stream.abort(error instanceof Error ? error : new Error(errorMessage(error)))
    })
  }

  function attempt(work: () => void): void {
    if (signal.aborted) return
    try {
      work()
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(errorMessage(error)))
      end(errorMessage(error))
    }
  }

  async function write(): Promise<void> {
    while (!signal.aborted) {
      const wasIdle = outbox.isIdle()
      const { frames, completed } = outbox.next(window)
      if (frames.length === 0) {
        if (isRetired) closeQuietly()
        return
      }
      lastUse = clock.now()
      if (wasIdle) lastProgress = lastUse
      const mayGoOn = stream.send(encodeFrames([...opening, ...frames]))
      opening = []
      for (const message of completed) if (known.has(message.inbox)) message.done()
      if (mayGoOn) continue
      await stream.onDrain({ signal })
      lastProgress = clock.now()
    }
  }

  function pump(): void {
    if (isWriting) return
    isWriting = true
    write()
      .catch((error: unknown) => end(errorMessage(error)))
      .finally(() => {
        isWriting = false
      })
  }

  function retire(): void {
    if (isRetired) return
    isRetired = true
    outbox.takeNoMore()
    pump()
  }

  const reader = createKeptReader(
    (type, body) => {
      const frame = decodeFrame(type, body)
      if (frame === undefined) return
      if (frame.type === 'hello') open(frame)
      else if (frame.type === 'receipt' && wasAnswered) for (const receipt of frame.receipts) settle(receipt)
      else throw new FrameRefusedError(`a ${frame.type} frame came where a receipt was due`)
    },
    () => undefined // one frame at most, and only from a peer that this node chose to write to
  )

  function open({ window: theirs }: HelloFrame): void {
    if (wasAnswered) throw new FrameRefusedError('there is a second opening frame')
    wasAnswered = true
    window = { messages: Math.min(own.messages, theirs.messages), bytes: Math.min(own.bytes, theirs.bytes) }
  }

  function settle(receipt: Receipt): void {
    for (const message of outbox.settle(receipt)) {
      const { inbox } = message
      if (receipt.status === 'delivered') {
        message.done()
        learn(inbox)
        continue
      }
      if (receipt.status === 'busy') message.fail(new BusyError(`${peer} has no room for more messages`))
      else {
        known.delete(inbox)
        message.fail(new NoSuchInboxError(`nobody listens on inbox ${inbox} of ${peer}`))
      }
    }
  }

  /** What was written before it was known that somebody listens has been waiting for that. */
  function learn(inbox: string): void {
    if (known.has(inbox)) return
    const [oldest] = known.size >= MAX_KNOWN ? known : []
    if (oldest !== undefined) known.delete(oldest)
    known.add(inbox)
    for (const message of outbox.waiting()) if (message.inbox === inbox) message.done()
  }

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(millis(Math.min(limits.receiptTimeout, limits.keptIdle) / 2), { signal })
      const now = clock.now()
      const isIdle = outbox.isIdle()
      if (!isIdle && now - lastProgress >= limits.receiptTimeout) {
        attempt(() => {
          throw new FrameRefusedError(`no receipt within ${limits.receiptTimeout} ms`)
        })
      }
      if (isIdle && now - lastUse >= limits.keptIdle) end('idle')
    }
  }

  stream.addEventListener(
    'message',
    ({ data }) =>
      attempt(() => {
        lastProgress = clock.now()
        reader.push(data.subarray())
        pump()
      }),
    { signal }
  )
  stream.addEventListener('remoteCloseWrite', () => queueMicrotask(() => end('the receiver closed the stream')), { signal })
  stream.addEventListener('close', ({ error }) => end(error?.message ?? 'the stream was closed'), { signal })
  watch().catch(() => undefined) // the stream ended first
  if (stream.status !== 'open') queueMicrotask(() => end('the stream was closed at once'))

  return {
    pump,
    retire,
    isFull: () => outbox.lastId >= MAX_ID,
    cut: (reason) => {
      stream.abort(new Error(reason))
      end(reason)
    }
  }
}
