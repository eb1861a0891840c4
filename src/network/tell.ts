import { errorMessage, type Logger } from '../base/index.ts'
import type { PeerEvent } from './types.ts'

/** Tells every listener of a peer event; the failure of one is logged and does not keep it from the others. */
export function tellAll(listeners: ReadonlySet<(event: PeerEvent) => void>, event: PeerEvent, log: Logger): void {
  for (const listener of listeners) {
    try {
      listener(event)
    } catch (error) {
      log.error('a peer listener failed', { type: event.type, peer: event.peer, error: errorMessage(error) })
    }
  }
}
