import { stat } from 'node:fs/promises'
import { bytes, type Clock, type Millis, millis, seconds } from '../../base/index.ts'
import { type Cgroups, cgroupName } from '../cgroup.ts'
import { ExecutorFailedError } from '../errors.ts'
import type { ExitStatus, WorkloadUsage } from '../executor.ts'
import { isAlive, type ProcessIdentity, readProcessUsage, signalProcess, TICKS_PER_SECOND } from '../process.ts'
import { type RunFiles, readExit, readIdentity, recordExit } from './run-files.ts'

const EXIT_POLL = millis(20)
const KILL_LIMIT = seconds(10)
/** How long a monitor may take to write down what it learned of its machine's end. */
const RECORD_LIMIT = seconds(5)
const USAGE_SAMPLE = millis(200)
/** What `st_blocks` counts in. */
const BLOCK = 512

/** How it ended; `undefined` while it runs. A monitor that is gone without a word leaves a machine that is lost, and ended here. */
export async function endOf(files: RunFiles, cgroups: Cgroups): Promise<ExitStatus | undefined> {
  const recorded = await readExit(files)
  if (recorded !== undefined) return recorded
  const monitor = await readIdentity(files.process)
  if (monitor !== undefined && (await isAlive(monitor))) return undefined
  const machine = await readIdentity(files.machine)
  if (machine !== undefined) await signalProcess(machine, 'SIGKILL')
  const isFull = (await cgroups.oomKills(cgroupName(files.directory))) > 0
  const lost = { type: 'lost', reason: 'its monitor is gone and left no exit status' } as const
  await recordExit(files, isFull ? { type: 'killed', signal: 'SIGKILL', outOfMemory: true } : lost)
  return readExit(files)
}

/** Asks the job through the monitor; after the grace the machine is switched off. */
export async function stopRun(files: RunFiles, grace: Millis, clock: Clock): Promise<void> {
  const monitor = await readIdentity(files.process)
  if (monitor !== undefined && grace > 0) await signalProcess(monitor, 'SIGTERM')
  if (monitor !== undefined && (await endWithin(monitor, grace, clock))) return
  const machine = await readIdentity(files.machine)
  await recordExit(files, { type: 'killed', signal: 'SIGKILL', outOfMemory: false })
  if (machine !== undefined) await kill(machine, KILL_LIMIT, clock)
  if (monitor === undefined || (await endWithin(monitor, RECORD_LIMIT, clock))) return
  await kill(monitor, KILL_LIMIT, clock)
}

async function kill(process: ProcessIdentity, limit: Millis, clock: Clock): Promise<void> {
  await signalProcess(process, 'SIGKILL')
  if (await endWithin(process, limit, clock)) return
  throw new ExecutorFailedError(`process ${process.pid} did not end within ${limit} ms of SIGKILL`)
}

async function endWithin(process: ProcessIdentity, limit: Millis, clock: Clock): Promise<boolean> {
  const deadline = clock.now() + limit
  while (await isAlive(process)) {
    if (clock.now() >= deadline) return false
    await clock.sleep(EXIT_POLL)
  }
  return true
}

/** What the machine uses, over a fifth of a second; empty once it ended. */
export async function measureUsage(files: RunFiles, clock: Clock): Promise<WorkloadUsage> {
  const machine = await readIdentity(files.machine)
  const before = machine === undefined ? undefined : await readProcessUsage(machine)
  if (machine === undefined || before === undefined || !(await isAlive(machine))) return {}
  const started = clock.now()
  await clock.sleep(USAGE_SAMPLE)
  const after = await readProcessUsage(machine)
  if (after === undefined) return {}
  const elapsed = Math.max(1, clock.now() - started) / 1000
  const cpuPercent = ((after.cpuTicks - before.cpuTicks) / TICKS_PER_SECOND / elapsed) * 100
  return { cpuPercent, memory: after.memory, ...(await diskOf(files)) }
}

async function diskOf({ root }: RunFiles): Promise<Pick<WorkloadUsage, 'disk'>> {
  const status = await stat(root).catch(() => undefined) // a machine without a disk
  return status === undefined ? {} : { disk: bytes(status.blocks * BLOCK) }
}
