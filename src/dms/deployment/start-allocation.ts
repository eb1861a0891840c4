import { type Clock, DmsError, errorMessage, hours, type Logger, seconds } from '../../base/index.ts'
import { RefusedError } from './errors.ts'
import type { Orchestrator } from './orchestrator.ts'
import type { PlannedAllocation } from './plan.ts'

/** How often an allocation is asked how its start goes, while the answer to the start itself is awaited. */
const POLL_INTERVAL = seconds(10)

/** How long a provider that answers may be at it: what a job needs is fetched before it starts. */
const PATIENCE = hours(4)

/**
 * Starts an allocation and resolves once it runs, or has run.
 *
 * The answer to a start may take minutes (image), and a provider that dies meanwhile never gives it although it goes on with
 * the start when it is back. So the allocation is also asked how it is; one that answers that it still waits is told again
 * to start, which changes nothing where it was told already. Providers of the Go program do not know the question; one that knows it
 * may take longer than the answer to the start is waited for.
 *
 * @throws RefusedError when it could not be started.
 */
export async function startAllocation(
  orchestrator: Orchestrator,
  allocation: PlannedAllocation,
  clock: Clock,
  log: Logger,
  signal: AbortSignal
): Promise<void> {
  const done = new AbortController()
  let hasAnswered = false
  const options = { signal: AbortSignal.any([signal, done.signal]) }
  try {
    await Promise.race([orchestrator.start(allocation, options).catch(waitOn), becomesRunning()])
  } finally {
    done.abort()
  }

  /** The answer to the start did not come in time; what counts is what the provider says when it is asked. */
  async function waitOn(error: unknown): Promise<void> {
    if (!hasAnswered || !(error instanceof DmsError) || error.kind !== 'timeout') throw error
    await clock.sleep(PATIENCE, options)
    throw new RefusedError(`${allocation.id} did not start within ${PATIENCE} ms`)
  }

  async function becomesRunning(): Promise<void> {
    for (;;) {
      await clock.sleep(POLL_INTERVAL, options)
      try {
        const { status, error, startedAt } = await orchestrator.status(allocation, options)
        hasAnswered = true
        if (status === 'running' || status === 'completed' || startedAt !== undefined) return
        if (status !== 'pending') throw new RefusedError(`${allocation.id} is ${status}${error === '' ? '' : `: ${error}`}`)
      } catch (error) {
        if (error instanceof RefusedError || options.signal.aborted) throw error
        log.debug('an allocation did not answer', { allocationID: allocation.id, error: errorMessage(error) })
        continue
      }
      await Promise.race([orchestrator.start(allocation, options), clock.sleep(POLL_INTERVAL, options)])
    }
  }
}
