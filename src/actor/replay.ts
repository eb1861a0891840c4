import {
  type Clock,
  errorMessage,
  type Logger,
  type Millis,
  millis,
  seconds,
  silentLogger,
  systemClock,
  toNanos
} from '../base/index.ts'
import { createJournalWriter, type JournalWriter, type KeptMessage, type ReplayJournal } from './journal.ts'
import { DEFAULT_ACTOR_LIMITS } from './limits.ts'

/** Remembers authorised messages until they expire, so that none is accepted twice (A, W3; B §11.1, 1). */
export interface ReplayWindow {
  /** Whether this message was accepted before. */
  has(senderId: string, nonce: bigint): boolean
  /** Records an accepted message; otherwise why it must not be accepted. */
  add(message: AcceptedMessage): ReplayRefusal | undefined
  /** Resolves when it is durable that a message was accepted; nothing where that need not be. */
  kept(senderId: string, nonce: bigint): Promise<void> | undefined
  readonly size: number
}

/**
 * Why a message is not accepted: too many of its caller, or of all, are still valid; or this node came back from a crash, and the
 * message may be one that it accepted before.
 */
export type ReplayRefusal = 'overloaded' | 'unknown-history'

/** What the window keeps of a message; times are UNIX nanoseconds. */
export interface AcceptedMessage {
  /** The DID in whose name the sender acts: one caller never fills the window for the others. */
  readonly caller: string
  readonly senderId: string
  readonly nonce: bigint
  readonly expiresAt: bigint
  readonly now: bigint
  readonly source: MessageSource
  /** The owner of the node has room that others cannot fill. */
  readonly isOwner: boolean
}

/**
 * Where a message comes from: another host; a client on this machine, whose clock is ours; or an actor of this process, which nobody
 * can repeat, because only messages of clients come in from outside.
 */
export type MessageSource = 'remote' | 'client' | 'internal'

/** The accepted messages of all actors of a node. */
export interface ReplayMemory {
  /** The window of one actor. */
  window(inbox: string): ReplayWindow
  /** Reads what an earlier process left; to be awaited before any message is heard. */
  start(): Promise<void>
  /** Leaves everything to the next process. */
  stop(): Promise<void>
}

/** What {@link createReplayMemory} needs. */
export interface ReplayMemoryOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Default none: a restart forgets. */
  readonly journal?: ReplayJournal
  /** Unexpired messages remembered at most. */
  readonly capacity: number
}

/** Share of the window that one caller may hold, and that is kept for the owner. */
const SHARE = 8

/** How often expired messages are looked for. */
const SWEEP_NANOS = 10_000_000_000n

/**
 * Messages that live longer are written down before their handlers run; the others are not, because a restart refuses what could be
 * one of them. A little more than the 30 s of ordinary messages.
 */
const SHORT_LIFE = toNanos(seconds(32))

/**
 * How far the clock of a sender may be ahead before its messages are written down too. So long after a crash its messages are taken
 * for older ones.
 */
const CLOCK_MARGIN = toNanos(seconds(1))

/** The same for clients on this machine. */
const CLIENT_MARGIN = toNanos(millis(100))

/** Share of the window that messages of others may hold which live long: so many are held for a day, and DIDs cost nothing. */
const LONG_SHARE = 2

interface Entry {
  readonly message: KeptMessage
  /** Whether it counts among those of others that live long. */
  readonly isLong: boolean
  readonly isWritten: boolean
  readonly kept: Promise<void> | undefined
}

type Entries = Map<string, Map<bigint, Entry>>

/** Creates the memory of a node. */
export function createReplayMemory({ clock, log, journal, capacity }: ReplayMemoryOptions): ReplayMemory {
  const inboxes = new Map<string, Entries>()
  const callers = new Map<string, number>()
  let size = 0
  let long = 0
  let nextSweep = 0n
  let writer: JournalWriter | undefined
  /** When this process began after a crash: what could have been accepted before and was not written down is refused. */
  let crashedBefore: bigint | undefined

  function entriesOf(inbox: string): Entries {
    const entries: Entries = inboxes.get(inbox) ?? new Map<string, Map<bigint, Entry>>()
    inboxes.set(inbox, entries)
    return entries
  }

  function insert(entry: Entry): void {
    const { inbox, senderId, nonce, caller } = entry.message
    const entries = entriesOf(inbox)
    const ofSender = entries.get(senderId) ?? new Map<bigint, Entry>()
    if (ofSender.has(nonce)) return
    entries.set(senderId, ofSender)
    ofSender.set(nonce, entry)
    callers.set(caller, (callers.get(caller) ?? 0) + 1)
    size += 1
    if (entry.isLong) long += 1
  }

  function forget({ message: { caller }, isLong }: Entry): void {
    size -= 1
    if (isLong) long -= 1
    const left = (callers.get(caller) ?? 1) - 1
    if (left === 0) callers.delete(caller)
    else callers.set(caller, left)
  }

  function sweep(now: bigint): void {
    if (now < nextSweep) return
    nextSweep = now + SWEEP_NANOS
    for (const entries of inboxes.values()) {
      for (const [senderId, ofSender] of entries) {
        for (const [nonce, entry] of ofSender) {
          if (entry.message.expiresAt >= now) continue
          ofSender.delete(nonce)
          forget(entry)
          if (entry.isWritten) writer?.forget(entry.message)
        }
        if (ofSender.size === 0) entries.delete(senderId)
      }
    }
  }

  function refusal(message: AcceptedMessage): ReplayRefusal | undefined {
    const share = capacity / SHARE
    const limit = message.isOwner ? capacity : capacity - share
    if (size >= limit || (callers.get(message.caller) ?? 0) >= share) return 'overloaded'
    if (isLong(message) && long >= capacity / LONG_SHARE) return 'overloaded'
    if (crashedBefore === undefined || message.source === 'internal') return undefined
    return isShort(message, crashedBefore) ? 'unknown-history' : undefined
  }

  function add(inbox: string, message: AcceptedMessage): ReplayRefusal | undefined {
    sweep(message.now)
    const refused = refusal(message)
    if (refused !== undefined) return refused
    const { caller, senderId, nonce, expiresAt } = message
    const kept: KeptMessage = { inbox, caller, senderId, nonce, expiresAt }
    const isWritten = writer !== undefined && message.source !== 'internal' && !isShort(message, message.now)
    insert({ message: kept, isWritten, isLong: isLong(message), kept: isWritten ? writer?.keep(kept) : undefined })
    return undefined
  }

  function unwritten(now: Millis): readonly KeptMessage[] {
    const all = [...inboxes.values()].flatMap((entries) => [...entries.values()]).flatMap((ofSender) => [...ofSender.values()])
    return all.filter(({ isWritten, message }) => !isWritten && message.expiresAt >= toNanos(now)).map(({ message }) => message)
  }

  return {
    window: (inbox) => ({
      has: (senderId, nonce) => inboxes.get(inbox)?.get(senderId)?.has(nonce) === true,
      add: (message) => add(inbox, message),
      kept: (senderId, nonce) => inboxes.get(inbox)?.get(senderId)?.get(nonce)?.kept,
      get size() {
        return size
      }
    }),
    async start() {
      if (journal === undefined || writer !== undefined) return
      const { messages, end } = await journal.open()
      const now = clock.now()
      writer = createJournalWriter(journal, log)
      for (const { message, isWritten } of messages) insert({ message, isWritten, isLong: isWritten, kept: undefined })
      if (end !== 'crashed') return
      crashedBefore = toNanos(now)
      log.info('this node did not end in order: messages that it may have accepted before are refused for half a minute')
    },
    async stop() {
      const closing = writer
      writer = undefined
      if (journal === undefined || closing === undefined) return
      await closing.idle()
      await journal.close(unwritten(clock.now())).catch((error: unknown) => {
        log.warn('the accepted messages could not be saved; the next start takes this for a crash', {
          error: errorMessage(error)
        })
      })
    }
  }
}

/**
 * Whether a message, had it been accepted at an instant, would not have been written down. The same question decides at the time of a
 * message whether to write, and after a crash whether it may have been one.
 *
 * Nonces are UNIX nanoseconds for our own nodes: one from after the crash shows that the message is new. Those of the Go program
 * count from its start, so its messages are refused until the ones from before the crash have expired.
 */
function isShort({ expiresAt, nonce, source }: AcceptedMessage, instant: bigint): boolean {
  return expiresAt <= instant + SHORT_LIFE && nonce <= instant + (source === 'client' ? CLIENT_MARGIN : CLOCK_MARGIN)
}

/** Whether a message of somebody else lives longer than ordinary ones do. */
function isLong({ expiresAt, now, isOwner }: AcceptedMessage): boolean {
  return !isOwner && expiresAt > now + SHORT_LIFE
}

/** Creates a window of its own for at most `capacity` unexpired messages, which a restart forgets. */
export function createReplayWindow(capacity = DEFAULT_ACTOR_LIMITS.remembered): ReplayWindow {
  return createReplayMemory({ clock: systemClock, log: silentLogger, capacity }).window('')
}
