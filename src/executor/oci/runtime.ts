import { execFile, spawn } from 'node:child_process'
import { access, constants, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bytes, CancelledError, err, mebibytes, ok, type Result, seconds } from '../../base/index.ts'
import { ExecutorFailedError } from '../errors.ts'
import type { ExecResult } from '../executor.ts'

const DIRECTORIES: readonly string[] = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
const LIMIT = seconds(30)
const MOST_OUTPUT = mebibytes(1)
const ENVIRONMENT = { PATH: DIRECTORIES.join(':'), LC_ALL: 'C' }

/** Static programs that are a first process: `-- program arguments`. */
const INITS: readonly string[] = ['tini-static', 'catatonit']

/** An OCI runtime of this machine. */
export interface Runtime {
  readonly path: string
  readonly name: 'crun' | 'runc'
  /** First line of what it says of itself. */
  readonly version: string
}

/** Finds a program of this machine. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of DIRECTORIES) {
    const path = join(directory, name)
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false
    )
    if (isThere) return path
  }
  return undefined
}

/** A static first process of this machine, where it has one. */
export async function findInit(): Promise<string | undefined> {
  for (const name of INITS) {
    const path = await findProgram(name)
    if (path !== undefined) return path
  }
  return undefined
}

/**
 * Finds the runtime to use; the error says why there is none.
 *
 * @param wanted - `auto`, `crun` or `runc`. crun starts faster, but does not run with both versions of control groups at once.
 */
export async function findRuntime(wanted: 'auto' | 'crun' | 'runc'): Promise<Result<Runtime, string>> {
  const names = wanted === 'auto' ? (['crun', 'runc'] as const) : [wanted]
  const isHybrid = (await readFile('/sys/fs/cgroup/unified/cgroup.controllers', 'utf8').catch(() => '')).trim() !== ''
  for (const name of names) {
    if (name === 'crun' && isHybrid) continue
    const path = await findProgram(name)
    if (path === undefined) continue
    const { code, stdout } = await runRuntime(path, ['--version'])
    if (code === 0) return ok({ path, name, version: stdout.split('\n')[0] ?? name })
  }
  if (isHybrid && wanted === 'crun')
    return err('crun does not run where versions 1 and 2 of control groups are both mounted: use runc')
  return err(`there is no ${names.join(' and no ')} on this machine: apt install ${isHybrid ? 'runc' : 'crun'}`)
}

/** What a runtime said. */
export interface RuntimeResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the runtime to its end; never rejects. */
export function runRuntime(path: string, args: readonly string[]): Promise<RuntimeResult> {
  return new Promise((resolve) => {
    const options = { env: ENVIRONMENT, timeout: LIMIT, killSignal: 'SIGKILL', maxBuffer: MOST_OUTPUT } as const
    execFile(path, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr: stderr === '' && error !== null ? error.message : stderr })
    })
  })
}

/** What {@link execInside} needs. */
export interface InsideOptions {
  readonly maxOutput: Bytes
  readonly signal?: AbortSignal
  /** Ends what runs inside; the runtime's own end does not. */
  readonly kill: () => Promise<void>
}

/** Runs `<runtime> exec`; output of both streams in the order in which it came. */
export function execInside(path: string, args: readonly string[], options: InsideOptions): Promise<ExecResult> {
  const { maxOutput, signal, kill } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(new CancelledError('the command was cancelled'))
    const child = spawn(path, [...args], { env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'] })
    const parts: Buffer[] = []
    let [kept, isCut] = [0, false]
    const take = (data: Buffer): void => {
      const part = data.subarray(0, Math.max(0, maxOutput - kept))
      kept += part.length
      isCut ||= part.length < data.length
      if (part.length > 0) parts.push(part)
    }
    const giveUp = (): void => {
      void kill().finally(() => child.kill('SIGKILL'))
      reject(new CancelledError('the command was cancelled'))
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    signal?.addEventListener('abort', giveUp, { once: true })
    child.once('error', (cause) => reject(new ExecutorFailedError('the command cannot be started', { cause })))
    child.once('close', (code) => {
      signal?.removeEventListener('abort', giveUp)
      resolve({ code: code ?? 137, output: Buffer.concat(parts), isCut })
    })
  })
}
