import { rm } from 'node:fs/promises'
import { type Bytes, type Clock, DmsError, type Logger, mebibytes, millis } from '../../base/index.ts'
import { type Cgroups, cgroupName, createCgroups } from '../cgroup.ts'
import { ExecutorFailedError, ExecutorStartFailedError, ExecutorUnknownHandleError } from '../errors.ts'
import type { Executor, ExitStatus, RunHandle, StartOptions, Workload } from '../executor.ts'
import { idOfHandle, toHandle } from '../handle.ts'
import { readOutput } from '../output.ts'
import { createWorkloadRecords, type WorkloadRecord, type WorkloadRecords } from '../records.ts'
import { runInside } from './commands.ts'
import type { RootImages } from './disks.ts'
import { findGuest } from './guest.ts'
import { launchRun, prepareRun } from './launch.ts'
import { endOf, measureUsage, stopRun } from './observe.ts'
import { type AccelerationChoice, chooseAcceleration, probeMicrovm } from './probe.ts'
import { machineUser } from './qemu.ts'
import { type RunFiles, readIdentity, removeRun, runExists, runFiles } from './run-files.ts'
import { MICROVM_FEATURES, parseMicrovmSpec } from './spec.ts'

/** Bounds that hold for every machine. */
export interface MicrovmExecutorLimits {
  /** Kept of each output stream; what comes after is dropped, which the log then says. */
  readonly log: Bytes
}

/** 10 MiB per output stream. */
export const DEFAULT_MICROVM_LIMITS: MicrovmExecutorLimits = { log: mebibytes(10) }

/** Options of {@link createMicrovmExecutor}. */
export interface MicrovmExecutorOptions {
  /** Where the driver remembers which workloads it has; absolute, made when needed. */
  readonly directory: string
  /** Kernel, modules and busybox, as in the root of a Debian system; see `guest.ts`. */
  readonly guestDirectory: string
  /** The only directory from which jobs may choose kernels and disks. */
  readonly imagesDirectory: string
  /** `auto`: the processor's own virtualization where this process may use it, else emulation. */
  readonly acceleration: AccelerationChoice
  readonly clock: Clock
  readonly log: Logger
  /** Where images of registries come from; without it there are none. */
  readonly images?: RootImages
  /** Default: {@link DEFAULT_MICROVM_LIMITS}. */
  readonly limits?: MicrovmExecutorLimits
}

const KIND = 'microvm'
const FIRST_POLL = millis(50)
const SLOWEST_POLL = millis(250)

/**
 * Runs each workload in a virtual machine: QEMU's `microvm`, without a network, as a user of its own where the daemon is root.
 *
 * Memory is that of the machine, and with what QEMU needs beside it that of a control group; processor time is limited by the group, the
 * disk by the size of the machine's disks (without one, all files are in its memory), output by `limits.log`. Scripts, files and commands
 * inside are handed to our first program in the machine. An exit code comes from there, not from the console.
 */
export function createMicrovmExecutor(options: MicrovmExecutorOptions): Executor {
  const { directory, clock } = options
  const cgroups = createCgroups({ clock })
  const records = createWorkloadRecords(directory)
  const start = createStarter({ ...options, limits: options.limits ?? DEFAULT_MICROVM_LIMITS, records, cgroups })

  async function knownFiles(handle: RunHandle): Promise<RunFiles> {
    const files = await findRun(records, handle)
    if (files === undefined) throw new ExecutorUnknownHandleError(`there is no workload ${handle}`)
    return files
  }

  return {
    kind: KIND,
    features: MICROVM_FEATURES,
    probe: (abort) => probeMicrovm(options, abort),
    check(workload) {
      parseMicrovmSpec(workload)
    },
    start: (workload, startOptions = {}) => start(workload, startOptions),
    recover: async (handle) => (await findRun(records, handle)) !== undefined,
    wait: (handle, abort = {}) => waitForEnd(() => findRun(records, handle), cgroups, clock, abort),
    async stop(handle, grace) {
      const files = await findRun(records, handle)
      if (files !== undefined && (await endOf(files, cgroups)) === undefined) await stopRun(files, grace, clock)
    },
    async remove(handle) {
      const record = await findRecord(records, handle)
      if (record === undefined) return
      const files = runFiles(record.directory)
      await stopRun(files, millis(0), clock)
      await cgroups.remove(cgroupName(files.directory))
      await removeRun(files)
      await records.delete(record.id)
    },
    async *logs(handle, { follow = false, ...abort } = {}) {
      const files = await knownFiles(handle)
      const hasEnded = follow ? async () => (await endOf(files, cgroups)) !== undefined : undefined
      yield* readOutput(files, clock, hasEnded, abort)
    },
    usage: async (handle) => measureUsage(await knownFiles(handle), clock),
    async exec(handle, command, execOptions) {
      const files = await knownFiles(handle)
      if ((await endOf(files, cgroups)) !== undefined) throw new ExecutorFailedError('the machine has ended')
      return await runInside(files, command, execOptions)
    },
    list: async () => (await records.list()).map(({ id }) => ({ id, handle: toHandle(KIND, id) }))
  }
}

async function waitForEnd(
  find: () => Promise<RunFiles | undefined>,
  cgroups: Cgroups,
  clock: Clock,
  options: StartOptions
): Promise<ExitStatus> {
  for (let pause = FIRST_POLL; ; pause = millis(Math.min(pause * 2, SLOWEST_POLL))) {
    const files = await find()
    if (files === undefined) return { type: 'lost', reason: 'it no longer exists' }
    const status = await endOf(files, cgroups)
    if (status !== undefined) return status
    await clock.sleep(pause, options)
  }
}

async function findRecord(records: WorkloadRecords, handle: RunHandle): Promise<WorkloadRecord | undefined> {
  const id = idOfHandle(KIND, handle)
  return id === undefined ? undefined : records.find(id)
}

/** The files of a run that was prepared and not removed. */
async function findRun(records: WorkloadRecords, handle: RunHandle): Promise<RunFiles | undefined> {
  const record = await findRecord(records, handle)
  if (record === undefined) return undefined
  const files = runFiles(record.directory)
  return (await runExists(files)) ? files : undefined
}

interface StarterOptions extends MicrovmExecutorOptions {
  readonly limits: MicrovmExecutorLimits
  readonly cgroups: Cgroups
  readonly records: WorkloadRecords
}

/** Starts runs, each once: calls for the same workload share one start, and a run that has a monitor gets no second. */
function createStarter(options: StarterOptions) {
  const { records, clock, log, cgroups, limits, images, imagesDirectory, guestDirectory } = options
  const starting = new Map<string, Promise<RunHandle>>()

  async function start(workload: Workload, startOptions: StartOptions): Promise<RunHandle> {
    const spec = parseMicrovmSpec(workload)
    const files = runFiles(workload.directory)
    if ((await readIdentity(files.process)) === undefined) {
      const guest = await findGuest(guestDirectory)
      const { acceleration, group } = await chooseAcceleration(options.acceleration)
      const user = process.getuid?.() === 0 ? machineUser(workload.id, group) : undefined
      await records.save({ id: workload.id, directory: workload.directory })
      const parts = { guest, acceleration, user, logBytes: limits.log, cgroups, images, imagesDirectory, ...startOptions }
      const { signal, onProgress } = startOptions
      try {
        await prepareRun(files, workload, spec, parts)
        onProgress?.({ step: 'boot' })
        await launchRun(files, { clock, ...(signal && { signal }) })
      } catch (error) {
        if ((await readIdentity(files.process)) === undefined) await forget(workload.id, files)
        throw error
      }
      log.debug('micro machine started', { allocationID: workload.id, acceleration })
    } else {
      await records.save({ id: workload.id, directory: workload.directory })
    }
    return toHandle(KIND, workload.id)
  }

  async function forget(id: string, files: RunFiles): Promise<void> {
    await cgroups.remove(cgroupName(files.directory))
    await rm(files.directory, { recursive: true, force: true })
    await records.delete(id)
  }

  return (workload: Workload, startOptions: StartOptions): Promise<RunHandle> => {
    const running =
      starting.get(workload.id) ??
      start(workload, startOptions)
        .catch(rethrowStart)
        .finally(() => starting.delete(workload.id))
    starting.set(workload.id, running)
    return running
  }
}

function rethrowStart(error: unknown): never {
  if (error instanceof DmsError) throw error
  throw new ExecutorStartFailedError('the files of the machine could not be made', { cause: error })
}
