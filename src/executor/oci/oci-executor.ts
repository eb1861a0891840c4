import { rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bytes, type Clock, DmsError, type Logger, type Millis, mebibytes, millis, type Secret } from '../../base/index.ts'
import { cgroupName } from '../cgroup.ts'
import type { Egress, JobAddress, JobNetwork } from '../egress.ts'
import { ExecutorFailedError, ExecutorStartFailedError, ExecutorUnavailableError, ExecutorUnknownHandleError } from '../errors.ts'
import type { ExecOptions, ExecResult, Executor, RunHandle, StartOptions, StartProgress, Workload } from '../executor.ts'
import { readStart } from '../files.ts'
import { idOfHandle, toHandle } from '../handle.ts'
import { readOutput } from '../output.ts'
import { scriptedCommand } from '../preparation.ts'
import { createWorkloadRecords, type WorkloadRecord } from '../records.ts'
import { containerGroups } from './groups.ts'
import { besideName, launchRun, prepareRun, type RunParts } from './launch.ts'
import { type Container, endMonitor, endOf, measureUsage, stopRun } from './observe.ts'
import { probeOci } from './probe.ts'
import { isThere, type RunFiles, readMonitor, runFiles } from './run-files.ts'
import { execInside, findInit, findRuntime, type Runtime } from './runtime.ts'
import { OCI_FEATURES, type OciSpec, parseOciSpec } from './spec.ts'
import { findUser } from './users.ts'

/** What of an image says how it is run. */
export interface ImageCommand {
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly environment: readonly string[]
  readonly workingDirectory: string
  readonly user: string
}

/** PORT: images, unpacked; satisfied by the module `image`. */
export interface ImageSource {
  prepare(
    reference: string,
    options: {
      readonly workloadId: string
      readonly auth?: { readonly username: string; readonly password: Secret }
      readonly onProgress?: (progress: StartProgress) => void
      readonly signal?: AbortSignal
    }
  ): Promise<{ readonly config: ImageCommand; readonly lowerDirectories: readonly string[] }>
  /** Idempotent. */
  release(workloadId: string): Promise<void>
}

/** Options of {@link createOciExecutor}. */
export interface OciExecutorOptions {
  /** Where the driver remembers which workloads it has; absolute, made when needed. */
  readonly directory: string
  readonly images: ImageSource
  /** What jobs may reach; without it nothing. `all` is as `public` here. */
  readonly network?: { readonly egress: Egress; readonly jobs: JobNetwork }
  /** Default: `auto`. */
  readonly runtime?: 'auto' | 'crun' | 'runc'
  readonly clock: Clock
  readonly log: Logger
  /** Kept of each output stream; default 64 MiB. */
  readonly logBytes?: Bytes
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const RUNTIME_LIFE = 60_000
const FIRST_POLL = millis(10)
const SLOWEST_POLL = millis(250)

/**
 * Runs containers on an OCI runtime – crun or runc –, without a daemon (Linux, as root).
 *
 * A container's root is an overlay of the shared, unpacked layers of its image and a file system of its own, whose size is its disk
 * limit. Memory, CPU and processes are bounded by control groups, output by `logBytes`. Mounts, loop devices and interfaces live in
 * namespaces that end with the last process of the job.
 */
export function createOciExecutor(options: OciExecutorOptions): Executor {
  const { directory, clock, runtime: wanted = 'auto' } = options
  const records = createWorkloadRecords(join(directory, 'workloads'))
  const state = join(directory, 'runtime')
  const starting = new Map<string, Promise<RunHandle>>()

  let found: { readonly runtime: Runtime; readonly until: number } | undefined

  /** Looking for it starts a program: once in a while is enough. */
  async function runtimeNow(): Promise<Runtime> {
    if (found !== undefined && clock.now() < found.until) return found.runtime
    const runtime = await findRuntime(wanted)
    if (!runtime.ok) throw new ExecutorUnavailableError(runtime.error)
    found = { runtime: runtime.value, until: clock.now() + RUNTIME_LIFE }
    return runtime.value
  }

  async function containerOf({ directory: workload }: WorkloadRecord): Promise<Container> {
    const files = runFiles(workload)
    return { files, id: cgroupName(files.directory), runtime: (await runtimeNow()).path, state }
  }

  async function find(handle: RunHandle): Promise<Container | undefined> {
    const id = idOfHandle('oci', handle)
    const record = id === undefined ? undefined : await records.find(id)
    if (record === undefined || !(await isThere(runFiles(record.directory).directory))) return undefined
    return await containerOf(record)
  }

  async function known(handle: RunHandle): Promise<Container> {
    const container = await find(handle)
    if (container === undefined) throw new ExecutorUnknownHandleError(`there is no container ${handle}`)
    return container
  }

  async function start(workload: Workload, { onProgress, ...abort }: StartOptions): Promise<RunHandle> {
    const spec = parseOciSpec(workload)
    const files = runFiles(workload.directory)
    abort.signal?.throwIfAborted()
    const runtime = await runtimeNow()
    await records.save({ id: workload.id, directory: workload.directory })
    if ((await readMonitor(files)) !== undefined) return toHandle('oci', workload.id)
    try {
      const network = await leaseFor(options, workload)
      if (!(await isThere(files.directory))) {
        const parts = await partsOf(options, { workload, spec, network, files }, { ...abort, ...(onProgress && { onProgress }) })
        onProgress?.({ step: 'create' })
        await prepareRun(files, filesBeside(workload), workload, parts)
      }
      const id = cgroupName(files.directory)
      await launchRun(files, { runtime, state, id, network, clock, logBytes: options.logBytes ?? mebibytes(64), ...abort })
    } catch (error) {
      if (!(error instanceof DmsError && error.kind === 'cancelled'))
        await erase({ id: workload.id, directory: workload.directory })
      throw error instanceof DmsError ? error : new ExecutorStartFailedError('the container cannot be prepared', { cause: error })
    }
    return toHandle('oci', workload.id)
  }

  /** The order makes it safe to repeat: the record goes last. */
  async function erase(record: WorkloadRecord): Promise<void> {
    const container = await containerOf(record)
    if (await isThere(container.files.directory)) {
      await stopRun(container, millis(0), clock)
      await endMonitor(container, clock)
      for (const path of (await containerGroups(container.files)).leftovers) await rmdir(path).catch(() => undefined) // not there
      await rm(container.files.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
    }
    await options.network?.jobs.release(record.id)
    await options.images.release(record.id)
    await records.delete(record.id)
  }

  return {
    kind: 'oci',
    features: OCI_FEATURES,
    probe: () => probeOci(wanted),
    check(workload) {
      parseOciSpec(workload)
    },
    start(workload, startOptions = {}) {
      const running = starting.get(workload.id) ?? start(workload, startOptions).finally(() => starting.delete(workload.id))
      starting.set(workload.id, running)
      return running
    },
    recover: async (handle) => (await find(handle)) !== undefined,
    async wait(handle, abort = {}) {
      for (let pause = FIRST_POLL; ; pause = millis(Math.min(pause * 2, SLOWEST_POLL))) {
        const container = await find(handle)
        if (container === undefined) return { type: 'lost', reason: 'it no longer exists' }
        const status = await endOf(container)
        if (status !== undefined) return status
        await clock.sleep(pause, abort)
      }
    },
    async stop(handle, grace: Millis) {
      const container = await find(handle)
      if (container !== undefined) await stopRun(container, grace, clock)
    },
    async remove(handle) {
      const id = idOfHandle('oci', handle)
      const record = id === undefined ? undefined : await records.find(id)
      if (record !== undefined) await erase(record)
    },
    async *logs(handle, { follow = false, ...abort } = {}) {
      const container = await known(handle)
      const hasEnded = follow ? async () => (await endOf(container)) !== undefined : undefined
      yield* readOutput(container.files, clock, hasEnded, abort)
    },
    usage: async (handle) => await measureUsage(await known(handle), clock),
    exec: async (handle, command, execution) => await runInside(await known(handle), command, execution),
    list: async () => (await records.list()).map(({ id }) => ({ id, handle: toHandle('oci', id) }))
  }
}

/** The same names below a directory that is only of this start. */
function filesBeside(workload: Workload): RunFiles {
  const name = besideName()
  const place = runFiles(workload.directory)
  const beside = (path: string): string => path.replace(place.directory, join(workload.directory, name))
  const entries = Object.entries(place).map(([key, path]: [string, string]) => [key, beside(path)])
  return Object.fromEntries(entries) as RunFiles
}

async function leaseFor({ network, log }: OciExecutorOptions, workload: Workload): Promise<JobAddress | undefined> {
  if (network === undefined || network.egress === 'none') return undefined
  const lease = await network.jobs.lease(workload.id)
  if (lease.ok) return lease.value
  log.warn('a job gets no network', { allocationID: workload.id, reason: lease.error })
  return undefined
}

/** What is known before anything of it is made. */
interface Plan {
  readonly workload: Workload
  readonly spec: OciSpec
  readonly network: JobAddress | undefined
  readonly files: RunFiles
}

async function partsOf(
  { images, network: policy }: OciExecutorOptions,
  { workload, spec, network, files }: Plan,
  options: StartOptions
): Promise<RunParts> {
  const auth = spec.registryAuth
  const image = await images.prepare(spec.image, { workloadId: workload.id, ...options, ...(auth === undefined ? {} : { auth }) })
  const layers = image.lowerDirectories
  const user = await findUser(layers, spec.user ?? image.config.user)
  const hostName = cgroupName(files.directory).slice(0, 12)
  const init = await findInit()
  const resolvers = network === undefined ? [] : ((await policy?.jobs.resolvers()) ?? [])
  return {
    layers,
    own: { hostName, resolvers, ...(network === undefined ? {} : { address: network.address }) },
    bundle: {
      args: commandOf(workload, spec, image.config),
      environment: environmentOf(spec, image.config, user.home),
      workingDirectory: spec.workingDirectory ?? image.config.workingDirectory,
      user,
      hostName,
      isReadOnly: spec.isReadOnly,
      cgroup: (await containerGroups(files)).path,
      ...(init === undefined ? {} : { init })
    }
  }
}

/** Of the description where it says something, else of the image; scripts come first. */
function commandOf({ scripts = [] }: Workload, spec: OciSpec, image: ImageCommand): readonly string[] {
  const { entrypoint, cmd } = scriptedCommand(spec, image)
  const args = scripts.length > 0 ? [...entrypoint, ...cmd] : cmd
  if (args.length > 0) return args
  throw new ExecutorStartFailedError('neither the image nor the description says what to run: give entrypoint or cmd')
}

/** A variable of the description stands for the same one of the image. */
function environmentOf(spec: OciSpec, image: ImageCommand, home: string): readonly string[] {
  const all = [DEFAULT_PATH, `HOME=${home}`, ...image.environment, ...spec.environment]
  return [...new Map(all.map((variable) => [variable.slice(0, variable.indexOf('=')), variable])).values()]
}

/** As the user of the container, in its directory. */
async function runInside(container: Container, command: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const { files, id, runtime, state } = container
  if ((await endOf(container)) !== undefined) throw new ExecutorFailedError('the container does not run')
  const pidFile = join(files.directory, `exec-${besideName()}.pid`)
  try {
    return await execInside(runtime, ['--root', state, 'exec', '--pid-file', pidFile, id, ...command], {
      ...options,
      kill: async () => {
        const pid = Number((await readStart(pidFile, 16))?.toString('utf8'))
        if (pid > 1) process.kill(pid, 'SIGKILL')
      }
    })
  } finally {
    await rm(pidFile, { force: true })
  }
}
