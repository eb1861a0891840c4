import { execFile } from 'node:child_process'
import type { AbortOptions, Millis } from '../../base/index.ts'
import { mebibytes } from '../../base/index.ts'

/** What a program of the system said. */
export interface ProgramResult {
  readonly isDone: boolean
  readonly stdout: string
  /** One line: why it is not done. */
  readonly complaint: string
}

/** Where and how long a program may run. */
export interface ProgramOptions extends AbortOptions {
  readonly limit: Millis
  readonly cwd?: string
}

const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

/** Runs a program of the system to its end, with an environment of its own; rejects only when the signal is aborted. */
export async function runProgram(program: string, args: readonly string[], options: ProgramOptions): Promise<ProgramResult> {
  const { limit, cwd = '/', signal } = options
  const result = await new Promise<ProgramResult>((resolve) => {
    const settings = { env: ENVIRONMENT, cwd, timeout: limit, killSignal: 'SIGKILL', maxBuffer: mebibytes(1), signal } as const
    execFile(program, [...args], settings, (error, stdout, stderr) => {
      if (error === null) return resolve({ isDone: true, stdout, complaint: '' })
      const said = stderr.trim().split('\n')[0] ?? ''
      const complaint = error.code === 'ENOENT' ? `there is no program ${program}` : said === '' ? error.message : said
      resolve({ isDone: false, stdout, complaint: complaint.slice(0, 300) })
    })
  })
  signal?.throwIfAborted()
  return result
}
