import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AbortOptions, type Bytes, type Clock, hasErrno, millis, seconds } from '../../base/index.ts'
import type { JobAddress } from '../egress.ts'
import { ExecutorStartFailedError } from '../errors.ts'
import type { Workload } from '../executor.ts'
import { isAlive } from '../process.ts'
import type { BundleParts } from './bundle.ts'
import { bundleConfig } from './bundle.ts'
import { makeDisk } from './disk.ts'
import { containerGroups } from './groups.ts'
import { MONITOR_COMMAND, MONITOR_TEXT, monitorEnvironment } from './monitor.ts'
import { layOut, type OwnFiles } from './rootfs.ts'
import { isThere, type RunFiles, readExit, readFailure, readMonitor } from './run-files.ts'
import type { Runtime } from './runtime.ts'

const START_LIMIT = seconds(60)
const FIRST_POLL = millis(5)
const SLOWEST_POLL = millis(50)

/** What a run is made of besides its workload. */
export interface RunParts {
  readonly bundle: BundleParts
  readonly own: OwnFiles
  /** Unpacked, top first. */
  readonly layers: readonly string[]
}

/**
 * Puts the files of a run in place, all or none: they are made beside their place, and the rename of the directory decides between
 * two starts of the same workload.
 */
export async function prepareRun(place: RunFiles, beside: RunFiles, workload: Workload, parts: RunParts): Promise<void> {
  if (await isThere(place.directory)) return
  try {
    await mkdir(beside.directory, { recursive: true, mode: 0o700 })
    await layOut(beside, workload, parts.layers, parts.own)
    await makeDisk(beside.disk, workload.limits.disk)
    await writeFile(beside.config, JSON.stringify(await bundleConfig(workload, parts.bundle)), { mode: 0o600 })
    await writeFile(beside.monitor, MONITOR_TEXT, { mode: 0o600 })
    for (const path of [beside.stdout, beside.stderr]) await writeFile(path, '', { mode: 0o600 })
    await rename(beside.directory, place.directory)
  } catch (error) {
    if (!(hasErrno(error, 'ENOTEMPTY') || hasErrno(error, 'EEXIST'))) throw error // another start was faster
  } finally {
    await rm(beside.directory, { recursive: true, force: true })
  }
}

/** A name beside the place of a run that no other start has. */
export function besideName(): string {
  return `starting-${randomUUID()}`
}

/** What a monitor is started with. */
export interface LaunchOptions extends AbortOptions {
  readonly runtime: Runtime
  /** Where the runtime keeps what it knows of its containers. */
  readonly state: string
  readonly id: string
  readonly network: JobAddress | undefined
  readonly logBytes: Bytes
  readonly clock: Clock
}

/**
 * Starts the monitor of a prepared run, and resolves once the container runs or has ended. The monitor has its own session and no
 * connection to this process, so it goes on when this one dies; a second one of the same run ends at once.
 *
 * @throws ExecutorStartFailedError with what went wrong.
 */
export async function launchRun(files: RunFiles, options: LaunchOptions): Promise<void> {
  const { runtime, state, id, network, logBytes } = options
  const groups = await containerGroups(files)
  const layers = (await readdir(files.layers)).sort((a, b) => Number(a) - Number(b)).join(':')
  await mkdir(state, { recursive: true, mode: 0o700 })
  const settings = { runtime: runtime.path, state, id, logBytes, layers, ...(network === undefined ? {} : { network }) }
  const env = {
    ...monitorEnvironment(settings),
    KEEP: runtime.name === 'runc' ? '--keep' : '',
    OOM_FILES: groups.oomFiles.join(' '),
    LEFTOVERS: groups.leftovers.join(' ')
  }
  const output = await open(join(files.directory, 'monitor.log'), 'a', 0o600)
  try {
    const [program = '', ...args] = MONITOR_COMMAND
    const child = spawn(program, args, { cwd: files.directory, detached: true, env, stdio: ['ignore', output.fd, output.fd] })
    child.on('error', () => undefined) // seen as a monitor that never came
    child.unref()
  } finally {
    await output.close()
  }
  await hasStarted(files, options)
}

async function hasStarted(files: RunFiles, { clock, ...options }: LaunchOptions): Promise<void> {
  const deadline = clock.now() + START_LIMIT
  for (let pause = FIRST_POLL; ; pause = millis(Math.min(pause * 2, SLOWEST_POLL))) {
    const failure = await readFailure(files)
    if (failure !== undefined) throw new ExecutorStartFailedError(`the container does not start: ${failure}`)
    if ((await isThere(files.container)) || (await readExit(files)) !== undefined) return
    const monitor = await readMonitor(files)
    const isGone = monitor !== undefined && !(await isAlive(monitor))
    if (isGone && !(await isThere(files.container)) && !(await isThere(files.exit)) && !(await isThere(files.failure))) {
      throw new ExecutorStartFailedError('the monitor of the container died')
    }
    if (clock.now() > deadline) throw new ExecutorStartFailedError(`the container does not start within ${START_LIMIT} ms`)
    await clock.sleep(pause, options.signal === undefined ? {} : { signal: options.signal })
  }
}
