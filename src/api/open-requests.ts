import type { ServerResponse } from 'node:http'
import type { Clock, Millis } from '../base/index.ts'

/** The requests that wait for the network. */
export interface OpenRequests {
  /** Notes a request; the signal is aborted when its client goes away and when the server stops. */
  open(response: ServerResponse): AbortSignal
  /** Aborts all and resolves when they are answered, at the latest after `limit`. */
  end(limit: Millis): Promise<void>
  /** Whether {@link OpenRequests.end} was called. */
  readonly isEnding: boolean
}

/** Creates an empty {@link OpenRequests}. */
export function createOpenRequests(clock: Clock): OpenRequests {
  const open = new Map<ServerResponse, AbortController>()
  const drained = new AbortController()
  let isEnding = false
  return {
    open(response) {
      const controller = new AbortController()
      if (response.closed) {
        controller.abort()
        return controller.signal
      }
      open.set(response, controller)
      response.once('close', () => {
        open.delete(response)
        controller.abort()
        if (isEnding && open.size === 0) drained.abort()
      })
      if (isEnding) controller.abort()
      return controller.signal
    },
    async end(limit) {
      isEnding = true
      if (open.size === 0) return
      for (const controller of open.values()) controller.abort()
      await clock.sleep(limit, { signal: drained.signal }).catch(() => undefined) // all are answered
    },
    get isEnding() {
      return isEnding
    }
  }
}
