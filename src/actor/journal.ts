import { errorMessage, type Logger } from '../base/index.ts'

/** An accepted message as it outlives a restart; times are UNIX nanoseconds. */
export interface KeptMessage {
  /** The inbox of the actor that accepted it. */
  readonly inbox: string
  readonly caller: string
  readonly senderId: string
  readonly nonce: bigint
  readonly expiresAt: bigint
}

/** What an earlier process left. */
export interface ReplayHistory {
  /** Accepted messages; `isWritten` are those that {@link ReplayJournal.keep} wrote and still has. */
  readonly messages: readonly { readonly message: KeptMessage; readonly isWritten: boolean }[]
  /** How it ended: nothing ran here before, in order and with everything saved, or not. */
  readonly end: 'none' | 'closed' | 'crashed'
}

/** PORT: where accepted messages outlive a restart; declared here, satisfied by `dms` over the store of the node (ADR 0008). */
export interface ReplayJournal {
  /** Reads what was left and notes, durably, that a process runs from now on. */
  open(): Promise<ReplayHistory>
  /** Writes and forgets messages; durable when it resolves. */
  keep(added: readonly KeptMessage[], forgotten: readonly KeptMessage[]): Promise<void>
  /** Saves what was not written before, and notes that the process ended in order. */
  close(messages: readonly KeptMessage[]): Promise<void>
}

/** Writes in groups: what comes while one write is under way shares the next. */
export interface JournalWriter {
  /** Resolves when the message is durable; rejects when it could not be written. */
  keep(message: KeptMessage): Promise<void>
  /** Forgets a message with the next write. */
  forget(message: KeptMessage): void
  /** Resolves when nothing waits to be written. */
  idle(): Promise<void>
}

/** Expired messages that wait for a write of their own, when no other comes. */
const MANY_FORGOTTEN = 1024

/** Creates the writer of an open journal. */
export function createJournalWriter(journal: ReplayJournal, log: Logger): JournalWriter {
  let added: KeptMessage[] = []
  let forgotten: KeptMessage[] = []
  let current: Promise<void> = Promise.resolve()
  /** The write that takes what is added now. */
  let next: Promise<void> | undefined

  async function write(): Promise<void> {
    const [these, those] = [added, forgotten]
    added = []
    forgotten = []
    next = undefined
    await journal.keep(these, those)
  }

  function schedule(): Promise<void> {
    if (next !== undefined) return next
    next = current.then(write)
    current = next.catch((error: unknown) => {
      log.error('accepted messages could not be written down', { error: errorMessage(error) })
    })
    return next
  }

  return {
    keep(message) {
      added.push(message)
      const written = schedule()
      written.catch(() => undefined) // whoever runs the message sees the failure
      return written
    },
    forget(message) {
      forgotten.push(message)
      if (forgotten.length >= MANY_FORGOTTEN) schedule().catch(() => undefined) // logged above; expired ones do no harm
    },
    async idle() {
      await current
    }
  }
}
