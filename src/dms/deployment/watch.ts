import { NoReplyError, RemoteError } from '../../actor/index.ts'
import { type Clock, errorMessage, type Logger, type Millis, minutes, seconds } from '../../base/index.ts'
import type { Orchestrator } from './orchestrator.ts'
import type { PlannedAllocation } from './plan.ts'

/** How often a running allocation is asked how it is. Its own note usually comes first. */
const POLL_INTERVAL = seconds(10)

/** How long a provider that used to answer may be silent before its allocation counts as lost. */
const LOST_AFTER = minutes(30)

/** How an allocation came to its end. */
export interface AllocationEnd {
  readonly status: 'completed' | 'failed' | 'terminated'
  readonly exitCode?: number
  readonly error: string
}

/**
 * Asks a running allocation how it is until it has ended, and resolves with its end.
 *
 * Resolves with undefined when `isOver` says that the end is known already. Providers of the Go program do not know the
 * question; they are never given up for not answering it.
 */
export async function watchAllocation(
  orchestrator: Orchestrator,
  allocation: PlannedAllocation,
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
  isOver: () => boolean
): Promise<AllocationEnd | undefined> {
  let hasAnswered = false
  let silentSince: Millis | undefined
  for (;;) {
    if (isOver()) return undefined
    try {
      const { status, error, exitCode } = await orchestrator.status(allocation, { signal })
      hasAnswered = true
      silentSince = undefined
      if (isOver()) return undefined // the deployment moved on while the answer was under way
      if (status === 'completed' || status === 'failed' || status === 'terminated') {
        return { status, error, ...(exitCode === undefined ? {} : { exitCode }) }
      }
    } catch (error) {
      if (signal.aborted) throw error
      log.debug('an allocation did not answer', { allocationID: allocation.id, error: errorMessage(error) })
      // A Go provider takes the question and never answers: only where it cannot even be handed over does silence count.
      const isTaken = error instanceof NoReplyError || error instanceof RemoteError
      silentSince = isTaken && !hasAnswered ? undefined : (silentSince ?? clock.now())
      if (silentSince !== undefined && clock.now() - silentSince > LOST_AFTER) {
        return { status: 'failed', error: 'lost: its provider has not answered for 30 minutes' }
      }
    }
    await clock.sleep(POLL_INTERVAL, { signal })
  }
}
