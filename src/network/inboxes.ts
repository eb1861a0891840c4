import { errorMessage, type Logger } from '../base/index.ts'
import { InboxTakenError } from './errors.ts'
import { checkInbox } from './limits.ts'

/** Receives the frames of one inbox; `from` is the authenticated peer id of the sender. */
export type FrameListener = (frame: Uint8Array, from: string) => void

/** Who listens on which inbox of one host. */
export interface Inboxes {
  /** Takes an inbox; throws `NETWORK_BAD_INBOX` and `NETWORK_INBOX_TAKEN`. Returns the end, which may be called twice. */
  open(inbox: string, listener: FrameListener): () => void
  has(inbox: string): boolean
  /** The names of all open inboxes, oldest first. */
  names(): readonly string[]
  /** Calls the listener; its failure is logged and harms nobody. Whether somebody listens. */
  deliver(inbox: string, frame: Uint8Array, from: string): boolean
}

/** Creates the empty {@link Inboxes} of a host; `changed` is called whenever one opened or closed. */
export function createInboxes(log: Logger, changed: () => void): Inboxes {
  const listeners = new Map<string, FrameListener>()
  return {
    open(inbox, listener) {
      checkInbox(inbox)
      if (listeners.has(inbox)) throw new InboxTakenError(`inbox ${inbox} has a listener already`)
      listeners.set(inbox, listener)
      changed()
      let isOpen = true
      return () => {
        if (!isOpen) return
        isOpen = false
        listeners.delete(inbox)
        changed()
      }
    },
    has: (inbox) => listeners.has(inbox),
    names: () => [...listeners.keys()],
    deliver(inbox, frame, from) {
      const listener = listeners.get(inbox)
      if (listener === undefined) return false
      try {
        listener(frame, from)
      } catch (error) {
        log.error('the listener of an inbox failed', { inbox, from, error: errorMessage(error) })
      }
      return true
    }
  }
}
