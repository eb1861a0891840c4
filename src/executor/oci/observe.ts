import { randomUUID } from 'node:crypto'
import { link, rm, writeFile } from 'node:fs/promises'
import { type Clock, hasErrno, type Millis, millis, seconds } from '../../base/index.ts'
import { ExecutorFailedError } from '../errors.ts'
import type { ExitStatus, WorkloadUsage } from '../executor.ts'
import { isAlive, type ProcessIdentity } from '../process.ts'
import { containerGroups, readGroups } from './groups.ts'
import { type RunFiles, readExit, readFailure, readMonitor } from './run-files.ts'
import { runRuntime } from './runtime.ts'

const POLL = millis(20)
const KILL_LIMIT = seconds(10)
const USAGE_SAMPLE = millis(200)

/** A container that the runtime knows. */
export interface Container {
  readonly files: RunFiles
  readonly id: string
  readonly runtime: string
  readonly state: string
}

/** How it ended; `undefined` while it runs. A monitor that is gone without a word took the container with it, or it goes now. */
export async function endOf(container: Container): Promise<ExitStatus | undefined> {
  const { files } = container
  const recorded = await readExit(files)
  if (recorded !== undefined) return recorded
  const failure = await readFailure(files)
  if (failure !== undefined) return { type: 'lost', reason: `it did not start: ${failure}` }
  const monitor = await readMonitor(files)
  if (monitor === undefined || (await isAlive(monitor))) return undefined
  await call(container, ['delete', '--force', container.id])
  await recordExit(files, { lost: 'its monitor is gone and left no exit status' })
  return await readExit(files)
}

/** Asks, waits, kills. A container that is only being made is ended with its monitor. */
export async function stopRun(container: Container, grace: Millis, clock: Clock): Promise<void> {
  if ((await endOf(container)) !== undefined) return
  if (grace > 0) {
    await call(container, ['kill', container.id, 'TERM'])
    if (await endsWithin(container, grace, clock)) return
  }
  await call(container, ['kill', container.id, 'KILL'])
  if (await endsWithin(container, KILL_LIMIT, clock)) return
  const monitor = await readMonitor(container.files)
  if (monitor === undefined) return
  await killGroup(monitor)
  await call(container, ['delete', '--force', container.id])
  await recordExit(container.files, { signal: 'SIGKILL', outOfMemory: false })
}

/** Everything that the monitor started and is not inside: it ends by itself, unless something holds it. */
export async function endMonitor(container: Container, clock: Clock): Promise<void> {
  const monitor = await readMonitor(container.files)
  if (monitor !== undefined && !(await isGoneWithin(monitor, seconds(5), clock))) {
    await killGroup(monitor)
    if (!(await isGoneWithin(monitor, KILL_LIMIT, clock))) {
      throw new ExecutorFailedError(`process ${monitor.pid} did not end within ${KILL_LIMIT} ms of SIGKILL`)
    }
  }
  await call(container, ['delete', '--force', container.id])
}

/** What the container uses, over a fifth of a second; empty once it ended. */
export async function measureUsage(container: Container, clock: Clock): Promise<WorkloadUsage> {
  if ((await endOf(container)) !== undefined) return {}
  const groups = await containerGroups(container.files)
  const before = await readGroups(groups)
  if (before === undefined) return {}
  const started = clock.now()
  await clock.sleep(USAGE_SAMPLE)
  const after = await readGroups(groups)
  if (after === undefined) return {}
  const elapsed = Math.max(1, clock.now() - started) / 1000
  const { memory, pids, cpuSeconds } = after
  return { memory, pids, cpuPercent: Math.max(0, ((cpuSeconds - before.cpuSeconds) / elapsed) * 100) }
}

/** One of the calls that say nothing new when the container is gone. */
async function call({ runtime, state }: Container, args: readonly string[]): Promise<void> {
  await runRuntime(runtime, ['--root', state, ...args])
}

async function killGroup({ pid, ...identity }: ProcessIdentity): Promise<void> {
  if (!(await isAlive({ pid, ...identity }))) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // it ended between the look and the signal: what was wanted
  }
}

async function isGoneWithin(identity: ProcessIdentity, limit: Millis, clock: Clock): Promise<boolean> {
  const deadline = clock.now() + limit
  while (await isAlive(identity)) {
    if (clock.now() >= deadline) return false
    await clock.sleep(POLL)
  }
  return true
}

async function endsWithin(container: Container, limit: Millis, clock: Clock): Promise<boolean> {
  const deadline = clock.now() + limit
  while ((await endOf(container)) === undefined) {
    if (clock.now() >= deadline) return false
    await clock.sleep(POLL)
  }
  return true
}

/** Records how the run ended, unless that is recorded already. */
async function recordExit(files: RunFiles, record: Readonly<Record<string, string | boolean>>): Promise<void> {
  const temporary = `${files.exit}.${randomUUID()}`
  try {
    await writeFile(temporary, JSON.stringify(record), { mode: 0o600 })
    await link(temporary, files.exit)
  } catch (error) {
    if (!hasErrno(error, 'EEXIST') && !hasErrno(error, 'ENOENT')) throw error // recorded by the monitor, or removed with the run
  } finally {
    await rm(temporary, { force: true })
  }
}
