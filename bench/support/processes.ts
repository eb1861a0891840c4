import { type ChildProcess, spawn } from 'node:child_process'

/** Processes get this long to end when they are asked to. */
const STOP_TIME_MS = 10_000

/**
 * The environment of measured processes: `additions` and what is needed to find programs.
 *
 * `NODE_EXTRA_CA_CERTS` above all is left out: Node 20 reads it at every start, which takes longer than starting.
 */
export function cleanEnvironment(additions: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH, DOCKER_HOST } = process.env
  return { PATH, ...(DOCKER_HOST === undefined ? {} : { DOCKER_HOST }), ...additions }
}

/** Runs a program to its end and resolves with its stdout; rejects with its stderr when it fails. */
export function runToEnd(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const [out, err]: [Buffer[], Buffer[]] = [[], []]
    child.stdout.on('data', (data: Buffer) => out.push(data))
    child.stderr.on('data', (data: Buffer) => err.push(data))
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString())
      else
        reject(
          new Error(`${program} ${args.slice(0, 4).join(' ')} … ended with ${code}: ${Buffer.concat(err).toString().trim()}`)
        )
    })
  })
}

/** Starts a program and resolves once its stderr says `sign`; rejects with its stderr when it ends before. */
export function startUntil(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  sign: string
): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (data: Buffer) => {
      if (said.includes(sign)) return
      said += data.toString()
      if (said.includes(sign)) resolve(child)
    })
    child.once('error', reject)
    child.once('close', (code) =>
      reject(new Error(`${program} ${args.slice(0, 4).join(' ')} … ended with ${code}: ${said.trim()}`))
    )
  })
}

/** Asks a process to end and waits for it; one that does not is killed. */
export function stopProcess(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve()
      return
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIME_MS)
    child.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    child.kill('SIGTERM')
  })
}
