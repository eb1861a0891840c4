import { randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hasErrno, type JsonValue } from '../../base/index.ts'
import type { ExitStatus } from '../executor.ts'
import { MAX_RECORD, readAt, readRecord } from '../files.ts'
import type { ProcessIdentity } from '../process.ts'

/** What `runner.mjs` needs to know; sizes in bytes. */
export interface RunDescription {
  /** Absolute path of the directory that the module sees as `/`. */
  readonly data: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly memory: number
  readonly disk: number
  /** Of each of the two streams. */
  readonly logBytes: number
  readonly timeoutMs: number | null
  readonly cpuTimeMs: number | null
  /** Directories of this machine that the module sees as well. */
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly isReadOnly: boolean }[]
  /** Files that the supervisor writes its process id to before the module runs. */
  readonly cgroups: readonly string[]
}

/** The files of one run, below the workload's directory. */
export interface RunFiles {
  readonly directory: string
  readonly data: string
  readonly module: string
  readonly description: string
  readonly process: string
  readonly exit: string
  readonly stdout: string
  readonly stderr: string
  /** What Node itself says when it dies; empty otherwise. */
  readonly runner: string
}

/** Where the files of a workload are. */
export function runFiles(workloadDirectory: string): RunFiles {
  const directory = join(workloadDirectory, 'wasm')
  return {
    directory,
    data: join(workloadDirectory, 'data'),
    module: join(directory, 'module.wasm'),
    description: join(directory, 'run.json'),
    process: join(directory, 'process.json'),
    exit: join(directory, 'exit.json'),
    stdout: join(directory, 'stdout.log'),
    stderr: join(directory, 'stderr.log'),
    runner: join(directory, 'runner.log')
  }
}

/** Records how the run ended, unless that is recorded already. */
export async function recordExit(files: RunFiles, status: ExitStatus): Promise<void> {
  const temporary = `${files.exit}.${randomUUID()}`
  try {
    await writeFile(temporary, JSON.stringify(status), { mode: 0o600 })
    await link(temporary, files.exit)
  } catch (error) {
    // recorded by the runner, or removed together with the run: either way there is nothing to add
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

/** Which process supervises the run; `undefined` when none ever did. */
export async function readProcess(files: RunFiles): Promise<ProcessIdentity | undefined> {
  const { pid, startTime, bootId } = (await readRecord(files.process)) ?? {}
  if (typeof pid !== 'number' || typeof startTime !== 'string' || typeof bootId !== 'string') return undefined
  return { pid, startTime, bootId }
}

/** Whether Node's last words are that its own memory was used up: it then aborts and leaves no exit status. The kernel leaves no words. */
export async function ranOutOfMemory(files: RunFiles): Promise<boolean> {
  return (await readAt(files.runner, 0, MAX_RECORD))?.includes('out of memory') ?? false
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
  await rm(files.data, { recursive: true, force: true })
}
