import type { AbortOptions, Clock, Millis } from '../base/index.ts'
import { type AgentPlaces, prepareAgentSocket } from './place.ts'

/** What {@link runAgent} needs. */
export interface RunAgentOptions extends AgentPlaces, AbortOptions {
  readonly clock: Clock
  /** Time that nobody can set back. */
  readonly uptime: () => Millis
  /** Called once it listens. */
  readonly onReady: () => Promise<void>
}

/**
 * Runs the agent of a user directory until it has nothing left to hold, or the signal.
 *
 * @throws UnsafeRuntimeDirectoryError, AgentRunningError, AgentFailedError when it cannot start.
 */
export async function runAgent(options: RunAgentOptions): Promise<void> {
  const { clock, uptime, onReady, signal } = options
  const { createAgentServer } = await import('./server.ts')
  const server = createAgentServer({ socketPath: prepareAgentSocket(options), clock, uptime })
  const stop = (): void => void server.stop().catch(() => undefined) // what is left to fail is the closing of the socket
  signal?.addEventListener('abort', stop, { once: true })
  await server.start()
  if (signal?.aborted === true) stop()
  await onReady()
  await server.ended
}
