import { type Clock, type Millis, millis, seconds } from '../../base/index.ts'
import { type Cgroups, cgroupName } from '../cgroup.ts'
import { ExecutorFailedError } from '../errors.ts'
import type { ExitStatus, WorkloadUsage } from '../executor.ts'
import { isAlive, type ProcessIdentity, readProcessUsage, signalProcess, TICKS_PER_SECOND } from '../process.ts'
import { type RunFiles, ranOutOfMemory, readExit, readProcess, recordExit } from './run-files.ts'

const EXIT_POLL = millis(20)
const KILL_LIMIT = seconds(10)
const USAGE_SAMPLE = millis(200)

/**
 * How it ended; `undefined` while it runs. A process that is gone without a word is recorded as lost.
 *
 * @param ending - Resolves once the process that is this one's child is gone and its signal is recorded.
 */
export async function endOf(
  files: RunFiles,
  ending: Promise<void> | undefined,
  cgroups: Cgroups
): Promise<ExitStatus | undefined> {
  const recorded = await readExit(files)
  if (recorded !== undefined) return recorded
  const identity = await readProcess(files)
  if (identity !== undefined && (await isAlive(identity))) return undefined
  await ending
  await recordExit(files, await deathOf(files, cgroups))
  return readExit(files)
}

async function deathOf(files: RunFiles, cgroups: Cgroups): Promise<ExitStatus> {
  if ((await cgroups.oomKills(cgroupName(files.directory))) > 0) return { type: 'killed', signal: 'SIGKILL', outOfMemory: true }
  if (await ranOutOfMemory(files)) return { type: 'killed', signal: 'SIGABRT', outOfMemory: true }
  return { type: 'lost', reason: 'its process is gone and left no exit status' }
}

/** A module cannot be asked, so the supervisor is: it ends the module at once. If it does not answer, both are killed. */
export async function stopRun(files: RunFiles, grace: Millis, clock: Clock): Promise<void> {
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
    await clock.sleep(EXIT_POLL)
  }
  return true
}

/** What its process uses, over a fifth of a second; empty once it ended. */
export async function measureUsage(files: RunFiles, clock: Clock): Promise<WorkloadUsage> {
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
