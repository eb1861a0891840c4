import { type AbortOptions, bytes, CancelledError, type Clock, type Millis, millis, utf8 } from '../../base/index.ts'
import { ExecutorUnknownHandleError, ExecutorUnsupportedError } from '../errors.ts'
import type { Executor, ExecutorFeatures, ExitStatus, LogChunk, RunHandle, Workload } from '../executor.ts'
import { toHandle } from '../handle.ts'
import { checkFeatures, checkLimits, flag, NO_FEATURES, optionalInteger, optionalText, specFields } from '../spec.ts'

/** What survives a restart of the daemon in a test: give it to the next executor. */
export interface NullMachine {
  readonly runs: Map<RunHandle, NullRun & { readonly id: string } & Given>
}

/** One workload that pretends to run. */
interface NullRun {
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
  readonly ended: Promise<ExitStatus>
  readonly isRunning: () => boolean
  readonly end: (status: ExitStatus) => void
}

/** What a workload was given of the machine. */
type Given = Pick<Workload, 'gpus' | 'ports'>

/** Options of {@link createNullExecutor}. */
export interface NullExecutorOptions {
  readonly clock: Clock
  /** Default: a machine of its own, empty. */
  readonly machine?: NullMachine
}

interface NullSpec {
  readonly duration: Millis | undefined
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const FIELDS: readonly string[] = ['duration_ms', 'exit_code', 'stdout', 'stderr', 'forever']
/** Nothing runs, so ports and cards are given to nobody; but who gets which is remembered. */
const FEATURES: ExecutorFeatures = Object.freeze({ ...NO_FEATURES, ports: true, gpus: true })
const MAX_DURATION_MS = 31_536_000_000

/** An empty {@link NullMachine}. */
export function createNullMachine(): NullMachine {
  return { runs: new Map() }
}

/**
 * An executor that runs nothing: a workload has its whole output at once and ends after a while by itself.
 *
 * Fields of the spec, all optional: `duration_ms` (default 0: ends at once), `forever` (ends only by `stop`), `exit_code`
 * (default 0), `stdout` and `stderr` (texts). Workloads live in memory: after a restart of the process they no longer exist.
 */
export function createNullExecutor({ clock, machine = createNullMachine() }: NullExecutorOptions): Executor {
  const { runs } = machine
  function find(handle: RunHandle): NullRun {
    const run = runs.get(handle)
    if (run === undefined) throw new ExecutorUnknownHandleError(`there is no workload ${handle}`)
    return run
  }

  return {
    kind: 'null',
    features: FEATURES,
    probe: async () => ({ available: true, version: '1' }),
    check(workload) {
      parseNullSpec(workload)
    },
    async start(workload, { signal } = {}) {
      const spec = parseNullSpec(workload)
      if (signal?.aborted === true) throw new CancelledError(`the start of ${workload.id} was cancelled`)
      const handle = toHandle('null', workload.id)
      if (!runs.has(handle)) runs.set(handle, { id: workload.id, ...given(workload), ...startRun(clock, spec) })
      return handle
    },
    recover: async (handle) => runs.has(handle),
    async wait(handle, options) {
      const run = runs.get(handle)
      if (run === undefined) return { type: 'lost', reason: 'it no longer exists' }
      return abortable(run.ended, `waiting for ${handle}`, options)
    },
    async stop(handle) {
      runs.get(handle)?.end({ type: 'killed', signal: 'SIGTERM', outOfMemory: false })
    },
    async remove(handle) {
      runs.get(handle)?.end({ type: 'killed', signal: 'SIGKILL', outOfMemory: false })
      runs.delete(handle)
    },
    async *logs(handle, options) {
      yield* readRun(find(handle), handle, options)
    },
    usage: async (handle) => (find(handle).isRunning() ? { cpuPercent: 0, memory: bytes(0) } : {}),
    exec: () => Promise.reject(new ExecutorUnsupportedError('nothing runs in an executor of kind null')),
    list: async () => [...runs].map(([handle, { id }]) => ({ id, handle }))
  }
}

function given({ gpus = [], ports }: Workload): Given {
  return { gpus, ports }
}

function parseNullSpec(workload: Workload): NullSpec {
  const fields = specFields(workload, FIELDS)
  checkLimits(workload)
  checkFeatures('null', FEATURES, workload)
  return {
    duration: flag(fields, 'forever') ? undefined : millis(optionalInteger(fields, 'duration_ms', 0, MAX_DURATION_MS) ?? 0),
    exitCode: optionalInteger(fields, 'exit_code', 0, 255) ?? 0,
    stdout: optionalText(fields, 'stdout') ?? '',
    stderr: optionalText(fields, 'stderr') ?? ''
  }
}

function startRun(clock: Clock, spec: NullSpec): NullRun {
  const timer = new AbortController()
  let isRunning = true
  let resolve: (status: ExitStatus) => void = () => undefined
  const ended = new Promise<ExitStatus>((settle) => {
    resolve = settle
  })
  function end(status: ExitStatus): void {
    isRunning = false
    timer.abort()
    resolve(status) // later calls have no effect: a promise settles once
  }
  const natural: ExitStatus = { type: 'exited', code: spec.exitCode }
  if (spec.duration !== undefined) {
    clock.sleep(spec.duration, { signal: timer.signal }).then(
      () => end(natural),
      () => undefined // it was stopped before its time
    )
  }
  return { stdout: utf8(spec.stdout), stderr: utf8(spec.stderr), ended, isRunning: () => isRunning, end }
}

async function* readRun(
  run: NullRun,
  handle: RunHandle,
  { follow = false, signal }: { readonly follow?: boolean } & AbortOptions = {}
): AsyncGenerator<LogChunk> {
  if (run.stdout.length > 0) yield { stream: 'stdout', data: run.stdout }
  if (run.stderr.length > 0) yield { stream: 'stderr', data: run.stderr }
  if (follow) await abortable(run.ended, `following ${handle}`, signal === undefined ? {} : { signal })
}

async function abortable<T>(work: Promise<T>, what: string, { signal }: AbortOptions = {}): Promise<T> {
  if (signal === undefined) return work
  if (signal.aborted) throw new CancelledError(`${what} was cancelled`)
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new CancelledError(`${what} was cancelled`))
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
