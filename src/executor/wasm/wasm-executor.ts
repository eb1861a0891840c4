import { readFile, rm } from 'node:fs/promises'
import { type Bytes, type Clock, DmsError, errorMessage, type Logger, mebibytes, millis } from '../../base/index.ts'
import { type Cgroups, cgroupName, createCgroups } from '../cgroup.ts'
import { ExecutorStartFailedError, ExecutorUnknownHandleError, ExecutorUnsupportedError } from '../errors.ts'
import type { Executor, ExitStatus, Probe, RunHandle, StartOptions, Workload } from '../executor.ts'
import { idOfHandle, toHandle } from '../handle.ts'
import { readOutput } from '../output.ts'
import { readBootId } from '../process.ts'
import { createWorkloadRecords, type WorkloadRecord, type WorkloadRecords } from '../records.ts'
import { launchRun, prepareRun } from './launch.ts'
import { loadModule, type ModuleStore } from './modules.ts'
import { endOf, measureUsage, stopRun } from './observe.ts'
import { type RunFiles, readProcess, removeRun, runExists, runFiles } from './run-files.ts'
import { parseWasmSpec, WASM_FEATURES } from './spec.ts'

/** Bounds that hold for every module. */
export interface WasmExecutorLimits {
  /** Size of a module that comes with the description. */
  readonly module: Bytes
  /** Size of a module from a registry or a volume. */
  readonly fetchedModule: Bytes
  /** Kept of each output stream; what comes after is dropped, which the log then says. */
  readonly log: Bytes
}

/** 8 MiB per module, 64 MiB per module that is fetched, and 10 MiB per output stream. */
export const DEFAULT_WASM_LIMITS: WasmExecutorLimits = { module: mebibytes(8), fetchedModule: mebibytes(64), log: mebibytes(10) }

/** Options of {@link createWasmExecutor}. */
export interface WasmExecutorOptions {
  /** Where the driver remembers which workloads it has; absolute, made when needed. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Logger
  /** Where modules of registries come from; without it there are none. */
  readonly modules?: ModuleStore
  /** Default: {@link DEFAULT_WASM_LIMITS}. */
  readonly limits?: WasmExecutorLimits
}

const FIRST_POLL = millis(20)
const SLOWEST_POLL = millis(250)

/**
 * Runs WASI preview 1 modules in a child process each (Linux).
 *
 * The module sees `<workload directory>/data` as `/`, its mounts, its arguments and its variables, and nothing else: no network, no
 * other process, no inherited environment. Memory is bounded by the largest WebAssembly memory that V8 grants, the disk by counting
 * what is written, output by `limits.log`, time by `timeout` and `cpu_time` of the spec, CPU by having one thread of low priority;
 * where control groups can be made, memory and CPU of the whole process are bounded by the kernel as well.
 * A trap or memory that is used up ends with code 134 and a line on stderr; a module that cannot be run ends with code 126.
 */
export function createWasmExecutor({
  directory,
  clock,
  log,
  modules,
  limits = DEFAULT_WASM_LIMITS
}: WasmExecutorOptions): Executor {
  const cgroups = createCgroups({ clock })
  const records = createWorkloadRecords(directory)
  /** Of the runs started by this process: resolves once their end is recorded, with the signal that only a parent learns. */
  const ending = new Map<string, Promise<void>>()
  const start = createStarter({ records, clock, log, limits, ending, modules, cgroups })
  const statusOf = (files: RunFiles): Promise<ExitStatus | undefined> => endOf(files, ending.get(files.directory), cgroups)

  async function knownFiles(handle: RunHandle): Promise<RunFiles> {
    const files = await findRun(records, handle)
    if (files === undefined) throw new ExecutorUnknownHandleError(`there is no workload ${handle}`)
    return files
  }

  return {
    kind: 'wasm',
    features: WASM_FEATURES,
    probe: () => probeWasm(),
    check(workload) {
      parseWasmSpec(workload, limits.module)
    },
    start: (workload, options = {}) => start(workload, options),
    recover: async (handle) => (await findRun(records, handle)) !== undefined,
    async wait(handle, options = {}) {
      for (let pause = FIRST_POLL; ; pause = millis(Math.min(pause * 2, SLOWEST_POLL))) {
        const files = await findRun(records, handle)
        if (files === undefined) return { type: 'lost', reason: 'it no longer exists' }
        const status = await statusOf(files)
        if (status !== undefined) return status
        await clock.sleep(pause, options)
      }
    },
    async stop(handle, grace) {
      const files = await findRun(records, handle)
      if (files === undefined) return
      await stopRun(files, grace, clock)
      await ending.get(files.directory)
    },
    async remove(handle) {
      const record = await findRecord(records, handle)
      if (record === undefined) return
      const files = runFiles(record.directory)
      await stopRun(files, millis(0), clock)
      await ending.get(files.directory)
      await cgroups.remove(cgroupName(files.directory))
      await removeRun(files)
      await records.delete(record.id)
    },
    async *logs(handle, { follow = false, ...options } = {}) {
      const files = await knownFiles(handle)
      const hasEnded = follow ? async () => (await statusOf(files)) !== undefined : undefined
      yield* readOutput(files, clock, hasEnded, options)
    },
    usage: async (handle) => measureUsage(await knownFiles(handle), clock),
    exec: () => Promise.reject(new ExecutorUnsupportedError('a module has no other commands inside')),
    list: async () => (await records.list()).map(({ id }) => ({ id, handle: toHandle('wasm', id) }))
  }
}

async function findRecord(records: WorkloadRecords, handle: RunHandle): Promise<WorkloadRecord | undefined> {
  const id = idOfHandle('wasm', handle)
  return id === undefined ? undefined : records.find(id)
}

/** The files of a run that was prepared and not removed. */
async function findRun(records: WorkloadRecords, handle: RunHandle): Promise<RunFiles | undefined> {
  const record = await findRecord(records, handle)
  if (record === undefined) return undefined
  const files = runFiles(record.directory)
  return (await runExists(files)) ? files : undefined
}

interface StarterOptions extends Required<Omit<WasmExecutorOptions, 'directory' | 'modules'>> {
  readonly modules: ModuleStore | undefined
  readonly cgroups: Cgroups
  readonly records: WorkloadRecords
  readonly ending: Map<string, Promise<void>>
}

/** Starts runs, each once: calls for the same workload share one start, and a run that has a supervisor gets no second. */
function createStarter({ records, clock, log, limits, ending, modules, cgroups }: StarterOptions) {
  const starting = new Map<string, Promise<RunHandle>>()

  async function start(workload: Workload, options: StartOptions): Promise<RunHandle> {
    const spec = parseWasmSpec(workload, limits.module)
    const files = runFiles(workload.directory)
    await records.save({ id: workload.id, directory: workload.directory })
    if ((await readProcess(files)) === undefined) {
      const loading = { ...options, workloadId: workload.id, maxBytes: limits.fetchedModule, store: modules }
      const module = await loadModule(spec.source, loading).catch(async (error: unknown) => {
        await forget(workload.id, files)
        throw error
      })
      const run = await prepareRun(files, workload, spec, { module, logBytes: limits.log, cgroups })
      const launch = { clock, cgroups, ...(options.signal && { signal: options.signal }) }
      const { ended } = await launchRun(files, run, launch).catch(async (error: unknown) => {
        if (error instanceof ExecutorStartFailedError) await forget(workload.id, files)
        throw error
      })
      ending.set(
        files.directory,
        ended.finally(() => ending.delete(files.directory))
      )
      log.debug('wasm module started', { allocationID: workload.id })
    }
    return toHandle('wasm', workload.id)
  }

  /** The data directory is not of the driver's making alone and stays. */
  async function forget(id: string, files: RunFiles): Promise<void> {
    await cgroups.remove(cgroupName(files.directory))
    await rm(files.directory, { recursive: true, force: true })
    await records.delete(id)
  }

  return (workload: Workload, options: StartOptions): Promise<RunHandle> => {
    const running =
      starting.get(workload.id) ??
      start(workload, options)
        .catch(rethrowStart)
        .finally(() => starting.delete(workload.id))
    starting.set(workload.id, running)
    return running
  }
}

async function probeWasm(): Promise<Probe> {
  try {
    await readBootId()
    await readFile('/proc/self/stat')
    return { available: true, version: `wasi preview 1, node ${process.versions.node}` }
  } catch (error) {
    return { available: false, reason: `processes cannot be recognized without /proc: ${errorMessage(error)}` }
  }
}

function rethrowStart(error: unknown): never {
  if (error instanceof DmsError) throw error
  throw new ExecutorStartFailedError('the files of the run could not be made', { cause: error })
}
