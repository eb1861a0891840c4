import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { selfProgram } from '../base/index.ts'
import { NotStartedError } from './errors.ts'
import { oneLine } from './output.ts'

/** What the new process gets of the environment: where things are, and nothing that changes how Node runs or that is secret. */
const ENVIRONMENT: readonly string[] = ['HOME', 'LANG', 'PATH', 'TMPDIR', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME']

/** Most of its complaints that are kept. */
const MAX_COMPLAINT = 4096

/** Implements `Io.startDetached` with this process's own program. */
export async function startDetached(args: readonly string[]): Promise<void> {
  const { command, args: prefix } = selfProgram()
  const environment = Object.entries(process.env).filter(([name]) => ENVIRONMENT.includes(name))
  const child = spawn(command, [...prefix, ...args], {
    cwd: '/',
    detached: true,
    env: Object.fromEntries(environment),
    stdio: ['ignore', 'pipe', 'pipe']
  })
  try {
    await firstLineOf(child)
  } finally {
    child.stdout.destroy()
    child.stderr.destroy()
    child.unref()
  }
}

function firstLineOf(child: ChildProcessByStdio<null, Readable, Readable>): Promise<void> {
  let complaint = ''
  child.stderr.on('data', (data: Buffer) => {
    complaint = (complaint + data.toString('utf8')).slice(0, MAX_COMPLAINT)
  })
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('error', (cause) => reject(new NotStartedError(`cannot start ${child.spawnfile}: ${cause.message}`, { cause })))
    // after its line this comes too late to matter
    child.once('close', (code) => {
      const reason = oneLine(complaint.trim().replace(/^Error: /, ''))
      reject(new NotStartedError(reason === '' ? `it ended at once with ${code ?? 'a signal'}` : reason))
    })
  })
}

/** Implements `Io.runProgram`. */
export function runProgram(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
