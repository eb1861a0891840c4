import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { selfProgram } from '../base/index.ts'
import { NotStartedError } from './errors.ts'
import type { DetachedOptions } from './io.ts'
import { oneLine } from './output.ts'

/** What the new process gets of the environment: where things are, and nothing that changes how Node runs or that is secret. */
const ENVIRONMENT: readonly string[] = ['HOME', 'LANG', 'PATH', 'TMPDIR', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME']

/** What a service gets besides; passphrases travel on its stdin. */
const SETTINGS = /^(DMS_(?!.*PASSPHRASE)\w+|BOOTSTRAP_PEERS|DOCKER_HOST)$/

/** Most of its complaints that are kept. */
const MAX_COMPLAINT = 4096

/** Implements `Io.startDetached` with this process's own program. */
export async function startDetached(args: readonly string[], options: DetachedOptions = {}): Promise<void> {
  const { input, stderrPath, hasSettings = false } = options
  const { command, args: prefix } = selfProgram()
  const isPassed = (name: string): boolean => ENVIRONMENT.includes(name) || (hasSettings && SETTINGS.test(name))
  const complaints = stderrPath === undefined ? undefined : openComplaints(stderrPath)
  try {
    const child = spawn(command, [...prefix, ...args], {
      cwd: '/',
      detached: true,
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => isPassed(name))),
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', complaints ?? 'pipe']
    })
    child.stdin?.on('error', () => undefined).end(input?.reveal()) // it ended without reading it: its exit tells why
    try {
      await firstLineOf(child, stderrPath)
    } finally {
      child.stdout?.destroy()
      child.stderr?.destroy()
      child.unref()
    }
  } finally {
    if (complaints !== undefined) closeSync(complaints)
  }
}

/** Not through a link: the file lies in a directory of this user, but its name is known. */
function openComplaints(path: string): number {
  const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants
  return openSync(path, O_CREAT | O_NOFOLLOW | O_TRUNC | O_WRONLY, 0o600)
}

function firstLineOf(child: ChildProcess, stderrPath: string | undefined): Promise<void> {
  let written = ''
  const { stdout, stderr }: { stdout: Readable | null; stderr: Readable | null } = child
  stderr?.on('data', (data: Buffer) => {
    written = (written + data.toString('utf8')).slice(0, MAX_COMPLAINT)
  })
  const complaint = (): string => (stderrPath === undefined ? written : readFileSync(stderrPath, 'utf8').slice(-MAX_COMPLAINT))
  return new Promise((resolve, reject) => {
    stdout?.once('data', () => resolve())
    child.once('error', (cause) => reject(new NotStartedError(`cannot start ${child.spawnfile}: ${cause.message}`, { cause })))
    // after its line this comes too late to matter
    child.once('close', (code) => {
      const reason = oneLine(
        complaint()
          .trim()
          .replace(/^Error: /, '')
      )
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
