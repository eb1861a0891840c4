import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type AbortOptions, type Bytes, bytes, type Clock, millis, programBuild, seconds } from '../../base/index.ts'
import { type Cgroups, cgroupName } from '../cgroup.ts'
import { ExecutorBadSpecError, ExecutorStartFailedError } from '../errors.ts'
import type { Workload } from '../executor.ts'
import { readStart, writeWhole } from '../files.ts'
import { type DiskOptions, type Disks, findImage, isPublic, makeDisks } from './disks.ts'
import type { Guest } from './guest.ts'
import { type Program, writeInitrd } from './initrd.ts'
import { type Acceleration, QEMU_OVERHEAD, qemuCommand } from './qemu.ts'
import { placeWhole, type RunDescription, type RunFiles, readExit, readIdentity } from './run-files.ts'
import type { MicrovmSpec } from './spec.ts'

const START_LIMIT = seconds(20)
const POLL = millis(10)
const MONITOR_HEAP_MIB = 64
/** The kernel ends the machine before the daemon when memory runs out. */
const OOM_SCORE = '1000'

/** What a run is made of besides its description. */
export interface RunParts extends DiskOptions {
  readonly guest: Guest
  readonly acceleration: Acceleration
  readonly logBytes: Bytes
  readonly cgroups: Cgroups
}

/** Puts the files of the run in place; a second time it replaces what an interrupted start left. */
export async function prepareRun(files: RunFiles, workload: Workload, spec: MicrovmSpec, parts: RunParts): Promise<void> {
  const { acceleration, user, logBytes, cgroups } = parts
  const { cpuCores, memory } = workload.limits
  await mkdir(files.directory, { recursive: true, mode: 0o700 })
  await rm(files.exit, { force: true }) // of a start that was interrupted and given up as lost
  const guest = await withKernel(parts.guest, spec, parts.imagesDirectory)
  const disks = await makeDisks(files, spec, workload, parts)
  await placeWhole(files.initrd, user, (path) => writeInitrd(path, guest, workload, programOf(spec, disks)))
  const description: RunDescription = {
    command: qemuCommand({
      acceleration,
      cores: cpuCores,
      memory,
      user,
      kernelArguments: spec.kernelArguments,
      drives: disks.drives.map(({ serial }) => serial)
    }),
    open: [guest.kernel, files.initrd, ...disks.drives.map(({ file }) => file)],
    logBytes,
    cgroups: await cgroups.create(cgroupName(files.directory), { cpuCores, memory: bytes(memory + QEMU_OVERHEAD) })
  }
  await writeWhole(files.description, JSON.stringify(description))
}

/** A kernel of the job's choice has the drivers built in: modules of another kernel do not fit it. */
async function withKernel(guest: Guest, { kernel }: MicrovmSpec, imagesDirectory: string): Promise<Guest> {
  if (kernel === undefined) return guest
  const found = await findImage(imagesDirectory, kernel, 'kernel_image')
  if (!isPublic(found)) throw new ExecutorBadSpecError('kernel_image', 'must be readable for everybody on the provider')
  return { ...guest, kernel: found.path, modules: [] }
}

/** The description decides before the image, as for containers. */
function programOf(spec: MicrovmSpec, { drives, config }: Disks): Program {
  const ofImage = [...(config?.entrypoint ?? []), ...(config?.cmd ?? [])]
  return {
    root: drives[0]?.serial === 'root' ? 'disk' : 'archive',
    command: spec.command ?? (ofImage.length > 0 ? ofImage : undefined),
    environment: [...(config?.environment ?? []), ...spec.environment],
    workingDirectory: spec.workingDirectory ?? config?.workingDirectory ?? '/',
    metadata: spec.metadata
  }
}

/** What a launch needs. */
export interface LaunchOptions extends AbortOptions {
  readonly clock: Clock
}

/**
 * Starts the monitor of a prepared run and resolves once it has taken the run over and its machine exists.
 *
 * The process has its own session, no connection to this one and an empty environment, so it goes on when the daemon dies.
 *
 * @throws ExecutorStartFailedError when it ends or says nothing within 20 seconds.
 */
export async function launchRun(files: RunFiles, { clock, ...options }: LaunchOptions): Promise<void> {
  const child = await spawnMonitor(files)
  child.on('error', () => undefined) // then it has no process id, which is looked at below
  child.unref()
  const deadline = clock.now() + START_LIMIT
  while ((await readIdentity(files.machine)) === undefined && (await readExit(files)) === undefined) {
    const hasEnded = child.exitCode !== null || child.signalCode !== null || child.pid === undefined
    const isAnothers = (await readIdentity(files.process)) !== undefined && child.exitCode === 0
    if ((hasEnded && !isAnothers) || clock.now() > deadline) {
      child.kill('SIGKILL')
      throw new ExecutorStartFailedError(`the monitor of the machine did not start: ${await lastWords(files)}`)
    }
    await clock.sleep(POLL, options)
  }
  const machine = await readIdentity(files.machine)
  await writeFile(`/proc/${machine?.pid}/oom_score_adj`, OOM_SCORE).catch(() => undefined) // a help, not a need
}

async function spawnMonitor(files: RunFiles): Promise<ChildProcess> {
  const output = await open(files.monitor, 'a', 0o600)
  try {
    return spawn(process.execPath, monitorArguments(files), {
      cwd: files.directory,
      detached: true,
      env: {},
      stdio: ['ignore', output.fd, output.fd]
    })
  } finally {
    await output.close()
  }
}

/** In the single executable the monitor is the program itself, told by its first argument (scripts/program/executable.cjs). */
function monitorArguments({ directory }: RunFiles): readonly string[] {
  if (programBuild()?.form === 'executable') return ['__vm-monitor', directory]
  const monitor = fileURLToPath(new URL('./vm-monitor.mjs', import.meta.url))
  return ['--no-warnings', `--max-old-space-size=${MONITOR_HEAP_MIB}`, '--v8-pool-size=1', monitor, directory]
}

async function lastWords(files: RunFiles): Promise<string> {
  const output = await readStart(files.monitor, 1024)
  return output === undefined || output.length === 0 ? 'it said nothing' : output.toString('utf8').trim()
}
