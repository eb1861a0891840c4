import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExitStatus } from '../executor.ts'
import { MAX_RECORD, readRecord, readStart } from '../files.ts'
import type { ProcessIdentity } from '../process.ts'

/** The files of one run, below the workload's directory. */
export interface RunFiles {
  readonly directory: string
  /** What the runtime runs, without the place of the network. */
  readonly config: string
  /** Short names for the layers: there is room for few long ones in the options of a mount. */
  readonly layers: string
  /** Files and scripts of the workload: the uppermost of the layers. */
  readonly inside: string
  /** The file system that holds what the container writes. */
  readonly disk: string
  readonly monitor: string
  /** Written by the monitor before it does anything. */
  readonly process: string
  /** The container's first process; written by the runtime. */
  readonly container: string
  /** Written whole once it has ended: its exit code. */
  readonly exit: string
  /** Written whole instead of everything else when it could not be started. */
  readonly failure: string
  readonly stdout: string
  readonly stderr: string
}

/** Where the files of a workload are. */
export function runFiles(workloadDirectory: string): RunFiles {
  const directory = join(workloadDirectory, 'oci')
  const at = (name: string): string => join(directory, name)
  return {
    directory,
    config: at('config.template'),
    layers: at('l'),
    inside: at('inside'),
    disk: at('disk.img'),
    monitor: at('monitor.sh'),
    process: at('process.json'),
    container: at('container.pid'),
    exit: at('exit.json'),
    failure: at('failure'),
    stdout: at('stdout.log'),
    stderr: at('stderr.log')
  }
}

/** The process that watches the container; `undefined` when none ever did. */
export async function readMonitor(files: RunFiles): Promise<ProcessIdentity | undefined> {
  const { pid, startTime, bootId } = (await readRecord(files.process)) ?? {}
  if (typeof pid !== 'number' || typeof startTime !== 'string' || typeof bootId !== 'string') return undefined
  return { pid, startTime, bootId }
}

/** How the run ended; `undefined` while that is not recorded. */
export async function readExit(files: RunFiles): Promise<ExitStatus | undefined> {
  const record = await readRecord(files.exit)
  if (record === undefined) return undefined
  const { code, signal, outOfMemory } = record
  if (typeof signal === 'string') return { type: 'killed', signal, outOfMemory: outOfMemory === true }
  if (typeof code === 'number') return { type: 'exited', code }
  return { type: 'lost', reason: typeof record['lost'] === 'string' ? record['lost'] : 'its exit status is damaged' }
}

/** Why the container was not started; `undefined` when it was, or is being. */
export async function readFailure(files: RunFiles): Promise<string | undefined> {
  return (await readStart(files.failure, MAX_RECORD))?.toString('utf8').trim()
}

/** Whether there is such a file. */
export async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false
  )
}
