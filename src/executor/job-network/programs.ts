import { execFile } from 'node:child_process'
import { type Millis, mebibytes, seconds } from '../../base/index.ts'

/** What a program said before it ended. */
export interface ProgramResult {
  /** 0: it did what it was to do; -1: it could not be started, or took too long. */
  readonly code: number
  readonly stdout: string
  /** One line, without the program's name. */
  readonly complaint: string
}

/** Runs a program of the system with input; never rejects. */
export type RunProgram = (program: string, args: readonly string[], input?: string) => Promise<ProgramResult>

const LIMIT: Millis = seconds(20)
const MOST_OUTPUT = mebibytes(4)
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Programs of this machine, with nothing of the daemon's environment. */
export const runProgram: RunProgram = (program, args, input) =>
  new Promise((resolve) => {
    const options = {
      env: { PATH: SEARCH_PATH, LC_ALL: 'C' },
      timeout: LIMIT,
      killSignal: 'SIGKILL',
      maxBuffer: MOST_OUTPUT
    } as const
    const child = execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) return resolve({ code: 0, stdout, complaint: '' })
      const isMissing = error.code === 'ENOENT'
      const said = stderr.trim().split('\n')[0] ?? ''
      resolve({
        code: typeof error.code === 'number' ? error.code : -1,
        stdout,
        complaint: isMissing ? `there is no program ${program}` : said === '' ? error.message : said.slice(0, 300)
      })
    })
    child.stdin?.on('error', () => undefined) // it ended without reading all; its exit code says why
    child.stdin?.end(input ?? '')
  })
