import { FrameRefusedError } from './errors.ts'
import { type KeptFrame, type Receipt, sizeOfFrame, type Window } from './kept-frames.ts'

/** A message on its way over a kept stream. */
export interface Outgoing {
  readonly inbox: string
  readonly payload: Uint8Array
  /** Streams that it was given to. */
  attempts: number
  /** Called when it was written and its inbox is known to exist, or when it arrived; and again without effect. */
  readonly done: () => void
  readonly fail: (error: Error) => void
}

/** Messages that wait, in order: those that leave whole and those that leave in parts. */
export interface KeptQueue {
  readonly short: Set<Outgoing>
  readonly long: Set<Outgoing>
}

/** The longest payload that leaves in one frame; longer messages leave in parts of this size. */
export const PART_BYTES = 16_384

/** Bytes that leave in one write: about what a short message may have to wait for. */
const BATCH_BYTES = 65_536

/** Messages that are on their way in parts at the same time; receivers take at least so many. */
const IN_PARTS = 4

/** What leaves in one write. */
export interface Batch {
  readonly frames: readonly KeptFrame[]
  /** The messages of which nothing is left to write after it. */
  readonly completed: readonly Outgoing[]
}

interface Written {
  readonly id: number
  readonly message: Outgoing
  offset: number
}

/**
 * What one stream carries: which messages are on their way, and in what order their bytes leave.
 *
 * Short messages leave in order. Long ones leave in parts between them, one part per batch and in turns: a short message
 * waits for the batch before it, however much else there is.
 */
export interface KeptOutbox {
  /** What to write next, as far as the window of the receiver allows; no frames when nothing can leave now. */
  next(window: Window): Batch
  /** Leaves what is queued to others from now on. */
  takeNoMore(): void
  /** The messages that a receipt is for. Throws `NETWORK_FRAME_REFUSED` when one of them has not left; all keep waiting then. */
  settle(receipt: Receipt): readonly Outgoing[]
  /** Messages that left whole and have no receipt yet, oldest first. */
  waiting(): readonly Outgoing[]
  /** Takes out everything that has no receipt, oldest first. */
  takeAll(): readonly Outgoing[]
  /** Whether everything has its receipt. */
  isIdle(): boolean
  /** Ids that were given out. */
  readonly lastId: number
}

/** Creates the outbox of one stream. */
export function createKeptOutbox({ short, long }: KeptQueue): KeptOutbox {
  const written = new Map<number, Written>()
  let turns: readonly Written[] = []
  let lastId = 0
  let shortMessages = 0
  let shortBytes = 0
  let longMessages = 0
  let completed: Outgoing[] = []
  let takesMore = true

  function begin(queue: Set<Outgoing>, message: Outgoing): Written {
    queue.delete(message)
    message.attempts += 1
    lastId += 1
    const entry = { id: lastId, message, offset: 0 }
    written.set(lastId, entry)
    return entry
  }

  function hasRoom({ payload }: Outgoing, window: Window): boolean {
    return shortMessages === 0 || (shortMessages < window.messages && shortBytes + payload.length <= window.bytes)
  }

  function nextShort(window: Window): KeptFrame | undefined {
    const [message] = short
    if (message === undefined || !takesMore || !hasRoom(message, window)) return undefined
    const entry = begin(short, message)
    const { inbox, payload } = message
    entry.offset = payload.length
    shortMessages += 1
    shortBytes += payload.length
    completed.push(message)
    return { type: 'message', id: entry.id, inbox, payload }
  }

  function nextPart(): KeptFrame | undefined {
    const [message] = long
    if (message !== undefined && takesMore && longMessages < IN_PARTS) {
      longMessages += 1
      turns = [begin(long, message), ...turns]
    }
    const [turn, ...others] = turns
    if (turn === undefined) return undefined
    const { id, offset } = turn
    const { inbox, payload: whole } = turn.message
    const payload = whole.subarray(offset, offset + PART_BYTES)
    turn.offset += payload.length
    const isComplete = turn.offset >= whole.length
    turns = isComplete ? others : [...others, turn]
    if (isComplete) completed.push(turn.message)
    return offset > 0 ? { type: 'part', id, payload } : { type: 'start', id, inbox, total: whole.length, payload }
  }

  function onItsWay(id: number): Written {
    const entry = written.get(id)
    if (entry !== undefined && entry.offset >= entry.message.payload.length) return entry
    throw new FrameRefusedError(`there is a receipt for message ${id}, which is not on its way`)
  }

  function settleOne({ id, message }: Written): Outgoing {
    written.delete(id)
    const { length } = message.payload
    if (length > PART_BYTES) longMessages -= 1
    else {
      shortMessages -= 1
      shortBytes -= length
    }
    return message
  }

  return {
    next(window) {
      const frames: KeptFrame[] = []
      completed = []
      const part = nextPart()
      if (part !== undefined) frames.push(part)
      let size = part === undefined ? 0 : sizeOfFrame(part)
      while (size < BATCH_BYTES) {
        const frame = nextShort(window)
        if (frame === undefined) break
        frames.push(frame)
        size += sizeOfFrame(frame)
      }
      return { frames, completed }
    },
    takeNoMore() {
      takesMore = false
    },
    settle({ first, last }) {
      if (last > lastId) throw new FrameRefusedError(`there is a receipt for message ${last}, the last is ${lastId}`)
      // All are looked at before the first is let go: what a bad receipt names goes to the end of the stream with the rest.
      return Array.from({ length: last - first + 1 }, (_, index) => onItsWay(first + index)).map(settleOne)
    },
    waiting: () =>
      [...written.values()].filter(({ message, offset }) => offset >= message.payload.length).map(({ message }) => message),
    takeAll() {
      const all = [...written.values()].map(({ message }) => message)
      written.clear()
      turns = []
      return all
    },
    isIdle: () => written.size === 0,
    get lastId() {
      return lastId
    }
  }
}
