import { readFile } from 'node:fs/promises'
import {
  type AbortOptions,
  type Bytes,
  type Clock,
  DmsError,
  type Logger,
  type Millis,
  mebibytes,
  millis,
  seconds
} from '../../base/index.ts'
import { ExecutorFailedError, ExecutorStartFailedError, ExecutorUnknownHandleError } from '../errors.ts'
import type { Executor, ExitStatus, Probe, RunHandle, Workload, WorkloadUsage } from '../executor.ts'
import { idOfHandle, toHandle } from '../handle.ts'
import { launchRun, prepareRun } from './launch.ts'
import { readOutput } from './output.ts'
import { isAlive, type ProcessIdentity, readBootId, readProcessUsage, signalProcess, TICKS_PER_SECOND } from './process.ts'
import { createWasmRecords } from './records.ts'
import { type RunFiles, readExit, readProcess, recordExit, removeRun, runExists, runFiles } from './run-files.ts'
import { parseWasmSpec } from './spec.ts'

/** Bounds that hold for every module. */
export interface WasmExecutorLimits {
  /** Size of a module. */
  readonly module: Bytes
  /** Kept of each output stream; what comes after is dropped, which the log then says. */
  readonly log: Bytes
}

/** 8 MiB per module and 10 MiB per output stream. */
export const DEFAULT_WASM_LIMITS: WasmExecutorLimits = { module: mebibytes(8), log: mebibytes(10) }

/** Options of {@link createWasmExecutor}. */
export interface WasmExecutorOptions {
  /** Where the driver remembers which workloads it has; absolute, made when needed. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Logger
  /** Default: {@link DEFAULT_WASM_LIMITS}. */
  readonly limits?: WasmExecutorLimits
}

const FIRST_POLL = millis(20)
const SLOWEST_POLL = millis(250)
const KILL_LIMIT = seconds(10)
const USAGE_SAMPLE = millis(200)

/**
 * Runs WASI preview 1 modules in a child process each (Linux).
 *
 * The module sees `<workload directory>/data` as `/`, its arguments and its variables, and nothing else: no network, no other
 * process, no inherited environment. Memory is bounded by the largest WebAssembly memory that V8 grants, the disk by counting
 * what is written, output by `limits.log`, time by `timeout` of the spec, CPU by having one thread of low priority.
 * A trap or memory that is used up ends with code 134 and a line on stderr; a module that cannot be run ends with code 126.
 */
export function createWasmExecutor({ directory, clock, log, limits = DEFAULT_WASM_LIMITS }: WasmExecutorOptions): Executor {
  const records = createWasmRecords(directory)
  const starting = new Map<string, Promise<RunHandle>>()
  /** Of the runs started by this process: resolves once their end is recorded, with the signal that only a parent learns. */
  const ending = new Map<string, Promise<void>>()

  async function filesOf(handle: RunHandle): Promise<RunFiles | undefined> {
    const id = idOfHandle('wasm', handle)
    const record = id === undefined ? undefined : await records.find(id)
    if (record === undefined) return undefined
    const files = runFiles(record.directory)
    return (await runExists(files)) ? files : undefined
  }

  async function knownFiles(handle: RunHandle): Promise<RunFiles> {
    const files = await filesOf(handle)
    if (files === undefined) throw new ExecutorUnknownHandleError(`there is no workload ${handle}`)
    return files
  }

  async function start(workload: Workload, options: AbortOptions): Promise<RunHandle> {
    const spec = parseWasmSpec(workload, limits.module)
    const files = runFiles(workload.directory)
    await records.save({ id: workload.id, directory: workload.directory })
    if ((await readProcess(files)) === undefined) {
      await prepareRun(files, workload, spec, limits.log)
      const { ended } = await launchRun(files, workload.limits.memory, clock, options)
      ending.set(
        files.directory,
        ended.finally(() => ending.delete(files.directory))
      )
      log.debug('wasm module started', { allocationID: workload.id })
    }
    return toHandle('wasm', workload.id)
  }

  return {
    kind: 'wasm',
    probe: () => probeWasm(),
    check(workload) {
      parseWasmSpec(workload, limits.module)
    },
    async start(workload, options = {}) {
      const running =
        starting.get(workload.id) ??
        start(workload, options)
          .catch(rethrowStart)
          .finally(() => starting.delete(workload.id))
      starting.set(workload.id, running)
      return running
    },
    recover: async (handle) => (await filesOf(handle)) !== undefined,
    async wait(handle, options = {}) {
      for (let pause = FIRST_POLL; ; pause = millis(Math.min(pause * 2, SLOWEST_POLL))) {
        const files = await filesOf(handle)
        if (files === undefined) return { type: 'lost', reason: 'it no longer exists' }
        const status = await endOf(files, ending.get(files.directory))
        if (status !== undefined) return status
        await clock.sleep(pause, options)
      }
    },
    async stop(handle, grace) {
      const files = await filesOf(handle)
      if (files !== undefined) await stopRun(files, grace, clock)
    },
    async remove(handle) {
      const id = idOfHandle('wasm', handle)
      const record = id === undefined ? undefined : await records.find(id)
      if (id === undefined || record === undefined) return
      const files = runFiles(record.directory)
      await stopRun(files, millis(0), clock)
      await ending.get(files.directory)
      await removeRun(files)
      await records.delete(id)
    },
    async *logs(handle, { follow = false, ...options } = {}) {
      const files = await knownFiles(handle)
      yield* readOutput(
        files,
        clock,
        follow ? async () => (await endOf(files, ending.get(files.directory))) !== undefined : undefined,
        options
      )
    },
    usage: async (handle) => measureUsage(await knownFiles(handle), clock),
    async list() {
      return (await records.list()).map(({ id }) => ({ id, handle: toHandle('wasm', id) }))
    }
  }
}

async function probeWasm(): Promise<Probe> {
  try {
    await readBootId()
    await readFile('/proc/self/stat')
    return { available: true, version: `wasi preview 1, node ${process.versions.node}` }
  } catch (error) {
    return { available: false, reason: `processes cannot be recognized without /proc: ${String(error)}` }
  }
}

function rethrowStart(error: unknown): never {
  if (error instanceof DmsError) throw error
  throw new ExecutorStartFailedError('the files of the run could not be made', { cause: error })
}

/** How it ended; `undefined` while it runs. A process that is gone without a word is recorded as lost. */
async function endOf(files: RunFiles, ending: Promise<void> | undefined): Promise<ExitStatus | undefined> {
  const recorded = await readExit(files)
  if (recorded !== undefined) return recorded
  const identity = await readProcess(files)
  if (identity !== undefined && (await isAlive(identity))) return undefined
  await ending
  await recordExit(files, { type: 'lost', reason: 'its process is gone and left no exit status' })
  return readExit(files)
}

/** A module cannot be asked, so the supervisor is: it ends the module at once. If it does not answer, both are killed. */
async function stopRun(files: RunFiles, grace: Millis, clock: Clock): Promise<void> {
  const identity = await readProcess(files)
  if (identity === undefined || !(await isAlive(identity))) return
  if (grace > 0) await signalProcess(identity, 'SIGTERM')
  if (await endsWithin(identity, grace, clock)) return
  await signalProcess(identity, 'SIGKILL')
  if (!(await endsWithin(identity, KILL_LIMIT, clock))) {
    throw new ExecutorFailedError(`process ${identity.pid} did not end within ${KILL_LIMIT} ms of SIGKILL`)
  }
  await recordExit(files, { type: 'killed', signal: 'SIGKILL', outOfMemory: false })
}

async function endsWithin(identity: ProcessIdentity, limit: Millis, clock: Clock): Promise<boolean> {
  const deadline = clock.now() + limit
  while (await isAlive(identity)) {
    if (clock.now() >= deadline) return false
    await clock.sleep(FIRST_POLL)
  }
  return true
}

async function measureUsage(files: RunFiles, clock: Clock): Promise<WorkloadUsage> {
  const identity = await readProcess(files)
  const before = identity === undefined ? undefined : await readProcessUsage(identity)
  if (identity === undefined || before === undefined) return {}
  const started = clock.now()
  await clock.sleep(USAGE_SAMPLE)
  const after = await readProcessUsage(identity)
  if (after === undefined) return {}
  const elapsed = Math.max(1, clock.now() - started) / 1000
  return { cpuPercent: ((after.cpuTicks - before.cpuTicks) / TICKS_PER_SECOND / elapsed) * 100, memory: after.memory }
}
