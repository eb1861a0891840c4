import type { Stream } from '@libp2p/interface'
import { type Clock, errorMessage, type Millis, millis } from '../base/index.ts'
import { FrameRefusedError } from './errors.ts'
import {
  decodeFrame,
  encodeFrames,
  type KeptFrame,
  type MessageFrame,
  type PartFrame,
  type ReceiptStatus,
  type StartFrame,
  type Window
} from './kept-frames.ts'
import { createKeptReader } from './kept-reader.ts'
import { createReceipts } from './kept-receipts.ts'
import { INBOX, MAX_SENT_FRAME } from './limits.ts'
import type { ReadBudget, ReadLease } from './read-budget.ts'

/** What reading a kept stream needs. */
export interface IncomingOptions {
  readonly peer: string
  readonly budget: ReadBudget
  /** Whether somebody listens on the inbox and got the payload, which is his from then on. */
  readonly deliver: (inbox: string, payload: Uint8Array) => boolean
  readonly clock: Clock
  /** How long a frame or a message may stay unfinished. */
  readonly deadline: Millis
  /** How long the sender may be silent. */
  readonly idle: Millis
  readonly window: Window
}

/** Messages that may come in parts at the same time on one stream. */
export const MAX_IN_PARTS = 8

/** How long receipts may wait for more of them; shorter than anybody waits for one. */
const RECEIPT_DELAY = millis(20)

const NOTHING = new Uint8Array(0)

interface Unfinished {
  readonly inbox: string
  readonly total: number
  readonly since: number
  /** `undefined` when there was no room for it: what follows is skipped. */
  readonly lease: ReadLease | undefined
  /** What arrived, in one piece: however small the parts are, they cost no more memory than their bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly received: number
}

/**
 * Serves one incoming kept stream until its sender closes it: delivers its messages and sends receipts back.
 *
 * @throws FrameRefusedError for what is not this protocol, and for what stays unfinished too long. The caller resets the stream.
 */
export function serveKeptStream(stream: Stream, options: IncomingOptions): Promise<void> {
  const { clock, deadline, idle } = options
  const ended = new AbortController()
  const { signal } = ended
  return new Promise<void>((resolve, reject) => {
    const settle = (error?: unknown): void => {
      if (signal.aborted) return
      ended.abort()
      serving.release()
      if (error === undefined) resolve()
      else reject(error instanceof Error ? error : new FrameRefusedError(errorMessage(error)))
    }
    const attempt = (work: () => void): void => {
      if (signal.aborted) return
      try {
        work()
      } catch (error) {
        settle(error)
      }
    }
    const serving = createServing(stream, options, signal, attempt)
    const finish = (): void =>
      attempt(() => {
        if (stream.readBufferLength > 0) return
        serving.finish()
        settle()
      })
    stream.addEventListener('message', ({ data }) => attempt(() => serving.take(data.subarray())), { signal })
    stream.addEventListener('remoteCloseWrite', () => queueMicrotask(finish), { signal })
    stream.addEventListener('end', () => queueMicrotask(finish), { signal })
    stream.addEventListener(
      'close',
      ({ error }) => (error === undefined ? finish() : settle(new FrameRefusedError(`the stream broke: ${error.message}`))),
      { signal }
    )
    if (stream.status === 'reset' || stream.status === 'aborted') settle(new FrameRefusedError('the stream was reset'))
    const watch = async (): Promise<void> => {
      while (!signal.aborted) {
        await clock.sleep(millis(Math.min(deadline, idle)), { signal })
        const now = clock.now()
        if (serving.unfinishedSince() <= now - deadline) settle(new FrameRefusedError(`unfinished after ${deadline} ms`))
        if (serving.lastHeard() <= now - idle) settle(new FrameRefusedError(`nothing was heard for ${idle} ms`))
      }
    }
    watch().catch(() => undefined) // the stream ended first
  })
}

/** The state of one incoming stream. */
interface Serving {
  take(chunk: Uint8Array): void
  /** Throws `NETWORK_FRAME_REFUSED` when the stream must not end here. */
  finish(): void
  /** When the oldest unfinished thing began; infinite when there is none. */
  unfinishedSince(): number
  lastHeard(): number
  /** Gives back all memory. */
  release(): void
}

function createServing(
  stream: Stream,
  { peer, budget, deliver, clock, window }: IncomingOptions,
  signal: AbortSignal,
  attempt: (work: () => void) => void
): Serving {
  const unfinished = new Map<number, Unfinished>()
  const known = new Set<string>()
  const receipts = createReceipts()
  let isOpen = false
  let nextId = 1
  let unsent = 0
  let isDelayed = false
  let isSending = false
  let lastHeard: number = clock.now()
  let cut: { readonly lease: ReadLease; readonly since: number } | undefined

  const reader = createKeptReader(
    (type, body) => {
      const frame = decodeFrame(type, body)
      if (!isOpen && frame?.type !== 'hello') throw new FrameRefusedError('the stream does not begin with an opening frame')
      if (frame !== undefined) handle(frame)
    },
    (bytes) => {
      cut ??= { lease: budget.enter(peer), since: clock.now() }
      cut.lease.reserve(bytes)
    }
  )

  function handle(frame: KeptFrame): void {
    switch (frame.type) {
      case 'hello':
        if (isOpen) throw new FrameRefusedError('there is a second opening frame')
        isOpen = true
        stream.send(encodeFrames([{ type: 'hello', features: 0, window }]))
        return
      case 'message':
        takeId(frame)
        settleMessage(frame.id, frame.inbox, frame.payload.length, () => new Uint8Array(frame.payload))
        return
      case 'start':
        start(frame)
        return
      case 'part':
        addPart(frame)
        return
      case 'receipt':
        throw new FrameRefusedError('receipts came from the sender of messages')
    }
  }

  function takeId({ id, inbox, payload }: MessageFrame | StartFrame): void {
    if (id !== nextId) throw new FrameRefusedError(`message ${id} came where ${nextId} was due`)
    if (!INBOX.test(inbox)) throw new FrameRefusedError('there is no inbox of such a name')
    if (payload.length > MAX_SENT_FRAME) throw new FrameRefusedError('the message is too long')
    nextId += 1
  }

  function start(frame: StartFrame): void {
    takeId(frame)
    const { id, inbox, total, payload } = frame
    if (total > MAX_SENT_FRAME) throw new FrameRefusedError(`message ${id} announces ${total} bytes, at most ${MAX_SENT_FRAME}`)
    if (unfinished.size >= MAX_IN_PARTS) throw new FrameRefusedError(`${unfinished.size} messages are unfinished already`)
    unfinished.set(id, { inbox, total, since: clock.now(), lease: enter(), bytes: NOTHING, received: 0 })
    addPart({ type: 'part', id, payload })
  }

  function enter(): ReadLease | undefined {
    try {
      return budget.enter(peer)
    } catch {
      return undefined // no place: the message is skipped, and its receipt says so
    }
  }

  function addPart({ id, payload }: PartFrame): void {
    const message = unfinished.get(id)
    if (message === undefined) throw new FrameRefusedError(`more came of message ${id}, which has not begun or has ended`)
    const received = message.received + payload.length
    if (received > message.total) throw new FrameRefusedError(`message ${id} is longer than the ${message.total} bytes announced`)
    const bytes = keep(message, payload)
    if (received < message.total) {
      const next = bytes === undefined ? { ...message, lease: undefined, bytes: NOTHING } : { ...message, bytes }
      unfinished.set(id, { ...next, received })
      return
    }
    unfinished.delete(id)
    if (bytes === undefined) note(id, 'busy', message.total, true)
    else {
      settleMessage(id, message.inbox, message.total, () => bytes)
      message.lease?.release()
    }
  }

  /** What the message holds with one more part; nothing when there is no room, and then what it held is given back. */
  function keep({ lease, bytes, received, total }: Unfinished, payload: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (lease === undefined) return undefined
    const needed = received + payload.length
    let room = bytes
    if (needed > bytes.length) {
      const capacity = Math.min(total, Math.max(2 * bytes.length, needed))
      try {
        lease.reserve(capacity - bytes.length)
      } catch {
        lease.release() // no room: the receipt will say so
        return undefined
      }
      room = new Uint8Array(capacity)
      room.set(bytes.subarray(0, received))
    }
    room.set(payload, received)
    return room
  }

  function settleMessage(id: number, inbox: string, size: number, payload: () => Uint8Array): void {
    const isDelivered = deliver(inbox, payload())
    const isNew = !known.has(inbox)
    if (isDelivered) known.add(inbox)
    else known.delete(inbox)
    note(id, isDelivered ? 'delivered' : 'no-such-inbox', size, isNew)
  }

  /** Receipts leave together: soon when the sender waits for one, else when many are due or a moment has passed. */
  function note(id: number, status: ReceiptStatus, size: number, isUrgent: boolean): void {
    receipts.add(id, status)
    unsent += 1 + size / (window.bytes / window.messages)
    if (isUrgent || status !== 'delivered' || unsent > window.messages / 4) queueMicrotask(() => attempt(sendReceipts))
    else if (!isDelayed) {
      isDelayed = true
      clock.sleep(RECEIPT_DELAY, { signal }).then(
        () => {
          isDelayed = false
          attempt(sendReceipts)
        },
        () => undefined // the stream ended
      )
    }
  }

  function sendReceipts(): void {
    if (receipts.isEmpty() || isSending || stream.writeStatus !== 'writable') return
    unsent = 0
    if (stream.send(encodeFrames(receipts.take()))) return
    // The sender does not read its receipts: nothing more is read of what it sends until it does.
    isSending = true
    stream.pause()
    stream.onDrain({ signal }).then(
      () =>
        attempt(() => {
          isSending = false
          stream.resume()
          sendReceipts()
        }),
      () => undefined // the stream ended
    )
  }

  return {
    take(chunk) {
      lastHeard = clock.now()
      reader.push(chunk)
      if (reader.unfinished > 0 || cut === undefined) return
      cut.lease.release()
      cut = undefined
    },
    finish() {
      if (reader.unfinished > 0) throw new FrameRefusedError('the stream ended inside a frame')
      if (unfinished.size > 0) throw new FrameRefusedError(`the stream ended inside ${unfinished.size} messages`)
      sendReceipts()
    },
    unfinishedSince() {
      const [oldest] = unfinished.values()
      return Math.min(oldest?.since ?? Number.POSITIVE_INFINITY, cut?.since ?? Number.POSITIVE_INFINITY)
    },
    lastHeard: () => lastHeard,
    release() {
      cut?.lease.release()
      for (const { lease } of unfinished.values()) lease?.release()
      unfinished.clear()
      cut = undefined
    }
  }
}
