import { randomUUID } from 'node:crypto'
import { chown, link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hasErrno, type JsonValue } from '../../base/index.ts'
import type { ExitStatus } from '../executor.ts'
import { readRecord } from '../files.ts'
import type { ProcessIdentity } from '../process.ts'
import type { MachineUser } from './qemu.ts'

/** What `vm-monitor.mjs` needs to know. */
export interface RunDescription {
  /** The program of the machine and its arguments; it is given the files of `open` as descriptors from 7 on. */
  readonly command: readonly string[]
  readonly open: readonly string[]
  /** Bytes of each of the two streams. */
  readonly logBytes: number
  /** Files into which the id of the machine's process is written. */
  readonly cgroups: readonly string[]
}

/** The files of one run, below the workload's directory. */
export interface RunFiles {
  readonly directory: string
  readonly description: string
  readonly initrd: string
  /** The copy of the root file system that this machine has. */
  readonly root: string
  /** The monitor's process. */
  readonly process: string
  /** The machine's process. */
  readonly machine: string
  readonly exit: string
  readonly stdout: string
  readonly stderr: string
  /** What the monitor itself says when it dies; empty otherwise. */
  readonly monitor: string
}

/** Where the files of a workload are. */
export function runFiles(workloadDirectory: string): RunFiles {
  const directory = join(workloadDirectory, 'microvm')
  return {
    directory,
    description: join(directory, 'run.json'),
    initrd: join(directory, 'initrd'),
    root: join(directory, 'root.img'),
    process: join(directory, 'process.json'),
    machine: join(directory, 'machine.json'),
    exit: join(directory, 'exit.json'),
    stdout: join(directory, 'stdout.log'),
    stderr: join(directory, 'stderr.log'),
    monitor: join(directory, 'monitor.log')
  }
}

/** The copy of the drive with this number. */
export function driveFile({ directory }: RunFiles, index: number): string {
  return join(directory, `drive${index}.img`)
}

/** Has `make` write a file beside its place, gives it to the machine's user and puts it there whole. */
export async function placeWhole(
  path: string,
  user: MachineUser | undefined,
  make: (path: string) => Promise<void>
): Promise<void> {
  const temporary = `${path}.${randomUUID()}` // two starts of one workload may write at the same time
  await make(temporary)
  if (user !== undefined) await chown(temporary, user.uid, user.gid)
  await rename(temporary, path)
}

/** Records how the run ended, unless that is recorded already. */
export async function recordExit(files: RunFiles, status: ExitStatus): Promise<void> {
  const temporary = `${files.exit}.${randomUUID()}`
  try {
    await writeFile(temporary, JSON.stringify(status), { mode: 0o600 })
    await link(temporary, files.exit)
  } catch (error) {
    // recorded by the monitor, or removed together with the run: either way there is nothing to add
    if (!hasErrno(error, 'EEXIST') && !hasErrno(error, 'ENOENT')) throw error
  } finally {
    await rm(temporary, { force: true })
  }
}

/** How the run ended; `undefined` while it is not recorded. */
export async function readExit(files: RunFiles): Promise<ExitStatus | undefined> {
  const record = await readRecord(files.exit)
  return record === undefined ? undefined : parseExit(record)
}

function parseExit(record: { readonly [name: string]: JsonValue }): ExitStatus {
  const { type, code, signal, outOfMemory } = record
  if (type === 'exited' && typeof code === 'number') return { type, code }
  if (type === 'killed' && typeof signal === 'string') return { type, signal, outOfMemory: outOfMemory === true }
  return { type: 'lost', reason: typeof record['reason'] === 'string' ? record['reason'] : 'its exit status is damaged' }
}

/** The process that a file of the run names; `undefined` when there is none. */
export async function readIdentity(path: string): Promise<ProcessIdentity | undefined> {
  const { pid, startTime, bootId } = (await readRecord(path)) ?? {}
  if (typeof pid !== 'number' || typeof startTime !== 'string' || typeof bootId !== 'string') return undefined
  return { pid, startTime, bootId }
}

/** Whether the run was prepared; false after {@link removeRun}. */
export async function runExists(files: RunFiles): Promise<boolean> {
  try {
    await readFile(files.description)
    return true
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return false
    throw error
  }
}

/** Deletes everything of the run. */
export async function removeRun(files: RunFiles): Promise<void> {
  await rm(files.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
}
