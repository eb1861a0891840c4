import { execFile } from 'node:child_process'
import { type Bytes, type Millis, mebibytes, seconds } from '../base/index.ts'

/** Runs a program of a vendor; `undefined` when it is not there, fails, says too much or takes too long. */
export type RunTool = (program: string, args: readonly string[]) => Promise<string | undefined>

/** A driver that hangs must not hang the node with it. */
const LIMIT: Millis = seconds(10)
const MOST_OUTPUT: Bytes = mebibytes(4)

/** Where vendors install what is not on the path of a service. */
const DIRECTORIES = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/rocm/bin:/usr/local/nvidia/bin'

/** Programs of this machine, with nothing of the daemon's environment: it may hold secrets. */
export function createToolRunner(): RunTool {
  const environment = { PATH: DIRECTORIES, LC_ALL: 'C', HOME: '/' }
  return (program, args) =>
    new Promise((resolve) => {
      const options = { env: environment, timeout: LIMIT, killSignal: 'SIGKILL', maxBuffer: MOST_OUTPUT } as const
      execFile(program, [...args], options, (error, stdout) => resolve(error === null ? stdout : undefined))
    })
}
