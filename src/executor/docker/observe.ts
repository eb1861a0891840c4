import { finished } from 'node:stream/promises'
import { type AbortOptions, anySignal, CancelledError, type Clock, type Logger, millis, seconds } from '../../base/index.ts'
import { ExecutorFailedError, ExecutorUnavailableError, ExecutorUnknownHandleError } from '../errors.ts'
import type { ExitStatus, LogChunk } from '../executor.ts'
import { type DockerClient, refusalText, unavailable } from './client.ts'
import type { Containers } from './containers.ts'
import { isOverDisk, keepToDisk } from './disk.ts'
import { readFrames } from './frames.ts'
import { type ContainerState, exitStatusOf } from './state.ts'

/** What {@link waitForEnd} and {@link readLogs} work with. */
export interface ObserveContext {
  readonly client: DockerClient
  readonly containers: Containers
  readonly clock: Clock
  readonly log: Logger
}

const RECONNECT_PAUSE = seconds(1)
const RECHECK_PAUSE = millis(100)

/** Resolves when the container has ended; a daemon that goes away meanwhile is waited for. */
export async function waitForEnd(context: ObserveContext, id: string, options: AbortOptions): Promise<ExitStatus> {
  const { containers, clock, log } = context
  for (;;) {
    try {
      const state = await containers.inspect(id, options)
      if (state === undefined) return { type: 'lost', reason: 'it no longer exists' }
      if (state.status === 'created') return { type: 'lost', reason: 'it was never started' }
      if (state.status === 'ended') return await endOf(context, state)
      await watched(context, state, options)
      await clock.sleep(RECHECK_PAUSE, options)
    } catch (error) {
      throwIfAborted(options)
      if (error instanceof ExecutorUnknownHandleError) continue // removed between the two calls
      if (!(error instanceof ExecutorUnavailableError)) throw error
      log.warn('Docker is away while a container is waited for', { container: id, error: error.message })
      await clock.sleep(RECONNECT_PAUSE, options)
    }
  }
}

async function endOf(context: ObserveContext, state: ContainerState): Promise<ExitStatus> {
  const status = exitStatusOf(state)
  if (status.type !== 'killed' || status.outOfMemory || !(await isOverDisk(context, state))) return status
  return { ...status, reason: 'it wrote more than its disk' }
}

/** Waits for the end, and sees to it that the disk is kept meanwhile. */
async function watched(context: ObserveContext, state: ContainerState, options: AbortOptions): Promise<void> {
  const ended = new AbortController()
  const keeping = keepToDisk(context, state, { signal: anySignal(ended.signal, options.signal) }).catch(() => undefined)
  try {
    await untilNotRunning(context, state.id, options)
  } finally {
    ended.abort()
    await keeping
  }
}

/** The answer begins at once and ends with the container. */
async function untilNotRunning({ client }: ObserveContext, id: string, options: AbortOptions): Promise<void> {
  const stream = await client.stream({ method: 'POST', path: `/containers/${id}/wait`, ...options }, (answer) =>
    answer.status === 404
      ? new ExecutorUnknownHandleError(`there is no container ${id}`)
      : new ExecutorFailedError(`cannot wait for container ${id}: ${refusalText(answer)}`)
  )
  try {
    await finished(stream.resume())
  } catch (error) {
    throw unavailable('its socket', error)
  }
}

/** All output from the beginning; with `follow` until the container ends, also over a restart of the daemon. */
export async function* readLogs(
  context: ObserveContext,
  id: string,
  follow: boolean,
  options: AbortOptions
): AsyncGenerator<LogChunk> {
  const { containers, clock } = context
  const read = { stdout: 0, stderr: 0 }
  for (let isFirst = true; ; isFirst = false) {
    try {
      const state = await containers.inspect(id, options)
      if (state === undefined && isFirst) throw new ExecutorUnknownHandleError(`there is no container ${id}`)
      if (state === undefined) return
      yield* readOnce(context, id, follow, read, options)
      if (!follow || (await containers.inspect(id, options))?.status !== 'active') return
    } catch (error) {
      throwIfAborted(options)
      if (!follow || !(error instanceof ExecutorUnavailableError)) throw error
    }
    await clock.sleep(RECONNECT_PAUSE, options)
  }
}

/** Reads from the beginning and passes on what lies behind `read`, which it moves on. */
async function* readOnce(
  { client }: ObserveContext,
  id: string,
  follow: boolean,
  read: { stdout: number; stderr: number },
  options: AbortOptions
): AsyncGenerator<LogChunk> {
  const skip = { ...read }
  const query = { stdout: 'true', stderr: 'true', follow: String(follow) }
  const call = { method: 'GET', path: `/containers/${id}/logs`, query, ...options } as const
  const frames = readFrames(
    await client.stream(call, (answer) =>
      answer.status === 404
        ? new ExecutorUnknownHandleError(`there is no container ${id}`)
        : new ExecutorFailedError(`cannot read the output of ${id}: ${refusalText(answer)}`)
    )
  )
  try {
    for await (const { stream, data } of frames) {
      const known = Math.min(skip[stream], data.length)
      skip[stream] -= known
      read[stream] += data.length - known
      if (known < data.length) yield { stream, data: data.subarray(known) }
    }
  } catch (error) {
    throw unavailable('its socket', error)
  }
}

/** A connection that breaks because its signal was aborted is not an error of the daemon. */
function throwIfAborted({ signal }: AbortOptions): void {
  if (signal?.aborted === true) throw new CancelledError('reading from Docker was cancelled')
}
