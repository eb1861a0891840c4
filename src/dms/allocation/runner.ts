import {
  type Clock,
  createSerialQueue,
  DmsError,
  errorMessage,
  type Logger,
  millis,
  minutes,
  seconds,
  withTimeout
} from '../../base/index.ts'
import type { Executor, RunHandle, Workload, WorkloadGpu, WorkloadMount } from '../../executor/index.ts'
import type { JobOutput } from '../output.ts'
import { captureOutput } from './capture.ts'
import { MissingExecutorError } from './errors.ts'
import type { Preparation } from './preparation.ts'
import type { AllocationRecord } from './record.ts'
import { type AllocationEffect, type AllocationEvent, type AllocationState, advance, UNREPORTED_RETENTION } from './state.ts'

/** How long a workload may take to end by itself when asked (C §8.16). */
const STOP_GRACE = seconds(10)

/** How long the start of a workload may take, image included (C §8.16). */
const START_LIMIT = minutes(5)

/** How long the rest of the output is waited for after the end. */
const DRAIN_LIMIT = seconds(10)

/** Pauses between tries: doubled from the first up to the last. */
const RETRY_FIRST = seconds(1)
const RETRY_LAST = minutes(1)

/** Processes and threads of one workload. */
const PIDS_LIMIT = 4096

/** One allocation: takes events one at a time, writes the new state, then acts. */
export interface AllocationRunner {
  readonly record: AllocationRecord
  /** Resolves when the new state is durable; the effects go on by themselves. */
  handle(event: AllocationEvent): Promise<void>
  /** Resolves with the state as soon as the workload is neither waiting for its start nor starting. */
  started(): Promise<AllocationState>
}

/** What a runner needs. */
export interface RunnerOptions {
  readonly record: AllocationRecord
  readonly executor: Executor | undefined
  readonly output: JobOutput
  readonly clock: Clock
  readonly log: Logger
  readonly allowPrivileged: boolean
  /** What is put inside before the program runs. */
  preparation(): Preparation
  /** Makes the volumes of the allocation usable; again after a crash it goes on where it was. */
  mount(record: AllocationRecord, volumes: Preparation['volumes'], signal: AbortSignal): Promise<readonly WorkloadMount[]>
  /** Keeps what the ended workload left in its outputs; again after a crash it goes on where it was. */
  collect(record: AllocationRecord, volumes: Preparation['volumes'], signal: AbortSignal): Promise<void>
  /** The graphics cards behind the shares of the allocation. */
  graphics(record: AllocationRecord): Promise<readonly WorkloadGpu[]>
  /** Ends all effects of this process; workloads go on. */
  readonly lifetime: AbortSignal
  save(record: AllocationRecord): Promise<void>
  free(id: string): Promise<void>
  report(record: AllocationRecord): Promise<void>
  erase(record: AllocationRecord): Promise<void>
}

/** Creates the runner of an allocation; it acts only on events. */
export function createAllocationRunner(options: RunnerOptions): AllocationRunner {
  const { executor, output, clock, lifetime } = options
  const log = options.log.child({ allocationID: options.record.id })
  const queue = createSerialQueue()
  let record = options.record
  let starting: { readonly done: () => Promise<unknown>; readonly abort: AbortController } | undefined
  let capturing: Promise<void> = Promise.resolve()
  let watching: Promise<void> | undefined
  let activeCapture: Promise<void> | undefined
  const watchers: (() => void)[] = []

  function handle(event: AllocationEvent): Promise<void> {
    return queue.run(async () => {
      const { next, effects } = advance(record.state, event, clock.now())
      if (next !== record.state) {
        const changed = { ...record, state: next }
        await options.save(changed)
        record = changed
        for (const notify of watchers.splice(0)) notify()
        log.info('allocation', { event: event.type, phase: next.phase })
      }
      for (const effect of effects) supervise(effect)
    })
  }

  /** The one place where a failed effect stops travelling. */
  function supervise(effect: AllocationEffect): void {
    act(effect).catch((error: unknown) => {
      if (!lifetime.aborted) log.error('allocation effect failed', { effect, error: errorMessage(error) })
    })
  }

  function act(effect: AllocationEffect): Promise<void> {
    switch (effect) {
      case 'run':
        return run()
      case 'watch':
        // A start that arrives while the daemon restores may have begun to watch already; twice would double the output.
        watching ??= watch().finally(() => {
          watching = undefined
        })
        return watching
      case 'halt':
        return halt()
      case 'free':
        return free()
      case 'report':
        return report()
      case 'erase':
        return persistently(() => options.erase(record))
    }
  }

  async function run(): Promise<void> {
    const abort = new AbortController()
    const signal = AbortSignal.any([abort.signal, lifetime])
    let ended: Promise<unknown> = Promise.resolve()
    const followed = <T>(work: Promise<T>): Promise<T> => {
      ended = work.catch(() => undefined) // the attempt tells
      return work
    }
    const attempt = async (): Promise<RunHandle> => {
      // Data that is fetched may take longer than a start; its provider bounds it.
      const mounts = await followed(options.mount(record, options.preparation().volumes, signal))
      const begin = (inner: AbortSignal): Promise<RunHandle> => followed(start(mounts, inner))
      return await withTimeout(clock, START_LIMIT, `the start of ${record.id}`, begin, { signal })
    }
    const done = (): Promise<unknown> =>
      // A start that was given up may still make the workload: what comes next must find it.
      withTimeout(clock, START_LIMIT, 'the end of a start', () => ended).catch(() => undefined) // it hangs
    starting = { done, abort }
    try {
      await handle({ type: 'started', run: await attempt() })
    } catch (error) {
      if (lifetime.aborted) return // the next start of the daemon begins again here
      await done()
      if (!(error instanceof DmsError)) log.error('start failed', { error: errorMessage(error) })
      await handle({ type: 'failed', error: errorMessage(error) })
    } finally {
      starting = undefined
    }
  }

  async function start(mounts: readonly WorkloadMount[], signal: AbortSignal): Promise<RunHandle> {
    return present(executor, record.executor).start(await workload(mounts), { signal })
  }

  async function workload(mounts: readonly WorkloadMount[]): Promise<Workload> {
    const { files, scripts } = options.preparation()
    const { cpuCores, memory, disk } = record.amount
    return {
      id: record.id,
      spec: record.params,
      limits: { cpuCores, memory, disk, pids: PIDS_LIMIT },
      directory: await output.prepare(record.id),
      allowPrivileged: options.allowPrivileged,
      ports: [],
      files,
      scripts,
      mounts,
      gpus: await options.graphics(record)
    }
  }

  async function watch(): Promise<void> {
    const { state } = record
    if (state.phase !== 'running') return
    const driver = present(executor, record.executor)
    await persistently(async () => {
      if (!(await driver.recover(state.run))) {
        await handle({ type: 'exited', exit: { type: 'lost', reason: 'the workload is no longer on this machine' } })
        return
      }
      // An earlier try may still be reading: two at once would double the output.
      activeCapture ??= capture(driver, state.run).finally(() => {
        activeCapture = undefined
      })
      capturing = activeCapture
      const exit = await driver.wait(state.run, { signal: lifetime })
      await drained()
      await options.collect(record, options.preparation().volumes, lifetime)
      await handle({ type: 'exited', exit })
    })
  }

  async function capture(driver: Executor, run: RunHandle): Promise<void> {
    const directory = await output.prepare(record.id)
    await captureOutput(output, directory, driver.logs(run, { follow: true, signal: lifetime })).catch((error: unknown) => {
      if (!lifetime.aborted) log.warn('output is incomplete', { error: errorMessage(error) })
    })
  }

  async function drained(): Promise<void> {
    await withTimeout(clock, DRAIN_LIMIT, 'the rest of the output', () => capturing).catch((error: unknown) => {
      log.warn('output is incomplete', { error: errorMessage(error) })
    })
  }

  async function halt(): Promise<void> {
    starting?.abort.abort()
    await starting?.done()
    await persistently(async () => {
      const run = await find()
      if (run !== undefined) {
        await present(executor, record.executor).stop(run, STOP_GRACE)
        await drained()
      }
      await handle({ type: 'stopped' })
    })
  }

  async function free(): Promise<void> {
    await persistently(async () => {
      const run = await find()
      if (run !== undefined) await executor?.remove(run)
      await options.free(record.id)
    })
  }

  /** The workload by its handle, or by its id where the daemon died between start and write. */
  async function find(): Promise<RunHandle | undefined> {
    const { state } = record
    const known = state.phase === 'running' || state.phase === 'stopping' || state.phase === 'ended' ? state.run : undefined
    return known ?? (await executor?.list())?.find(({ id }) => id === record.id)?.handle
  }

  async function report(): Promise<void> {
    const giveUpAt = millis(clock.now() + UNREPORTED_RETENTION)
    for (let pause = RETRY_FIRST; clock.now() < giveUpAt; pause = millis(Math.min(pause * 2, RETRY_LAST))) {
      try {
        await options.report(record)
        await handle({ type: 'reported' })
        return
      } catch (error) {
        log.debug('the orchestrator was not told yet', { error: errorMessage(error) })
        await clock.sleep(pause, { signal: lifetime })
      }
    }
  }

  /** Repeats what fails because a part of the machine is away (Docker restarts) until it works or this process ends. */
  async function persistently(work: () => Promise<void>): Promise<void> {
    for (let pause = RETRY_FIRST; ; pause = millis(Math.min(pause * 2, RETRY_LAST))) {
      try {
        await work()
        return
      } catch (error) {
        if (lifetime.aborted || error instanceof MissingExecutorError) throw error
        log.warn('a step failed; trying again', { error: errorMessage(error), pauseMs: pause })
        await clock.sleep(pause, { signal: lifetime })
      }
    }
  }

  return {
    get record() {
      return record
    },
    handle,
    async started() {
      while (record.state.phase === 'pending' || record.state.phase === 'starting') {
        await new Promise<void>((resolve) => watchers.push(resolve))
      }
      return record.state
    }
  }
}

function present(executor: Executor | undefined, kind: string): Executor {
  if (executor === undefined) throw new MissingExecutorError(`this node has no executor ${kind}`)
  return executor
}
