import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasErrno, isJsonObject, type JsonValue, parseJson } from '../../base/index.ts'
import type { ExitStatus } from '../executor.ts'
import type { ProcessIdentity } from './process.ts'

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

/** None of the files read here is larger. */
const MAX_RECORD = 65_536

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

/** Writes the file completely or not at all, replacing one that is there. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomUUID()}` // two starts of one workload may write at the same time
  await writeFile(temporary, content, { mode: 0o600 })
  await rename(temporary, path)
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

/** The object in a small file; empty when it is damaged, `undefined` when there is no file. */
export async function readRecord(path: string): Promise<{ readonly [name: string]: JsonValue } | undefined> {
  const content = await readStart(path, MAX_RECORD)
  if (content === undefined) return undefined
  const parsed = parseJson(content.toString('utf8'))
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : {}
}

/** At most `length` bytes from the start of a file; `undefined` when there is no file. */
export async function readStart(path: string, length: number): Promise<Buffer | undefined> {
  return readAt(path, 0, length)
}

/** At most `length` bytes from `offset` of a file, empty at its end; `undefined` when there is no file. */
export async function readAt(path: string, offset: number, length: number): Promise<Buffer | undefined> {
  let file: Awaited<ReturnType<typeof open>>
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return undefined
    throw error
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
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
