import { homedir } from 'node:os'
import { createSecret, hasErrno, type Secret, systemClock, systemRandom } from '../base/index.ts'
import { InputTooLongError } from './errors.ts'
import { type Io, MAX_INPUT, type Output, type Terminal } from './io.ts'
import { screenOf } from './screen.ts'

/**
 * The {@link Io} of this process. Streams, terminal and the modules behind them are made when they are used: they cost a short
 * command more time than its own work.
 *
 * Takes `DMS_PASSPHRASE` and `DMS_NEW_PASSPHRASE` out of the environment, so that no child process inherits it (A §14, W7).
 */
export function processIo(): Io {
  const passphrase = takeSecret('DMS_PASSPHRASE')
  const newPassphrase = takeSecret('DMS_NEW_PASSPHRASE')
  return {
    stdout: outputOf(() => process.stdout),
    stderr: outputOf(() => process.stderr),
    readInput,
    environment: process.env,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(newPassphrase === undefined ? {} : { newPassphrase }),
    cwd: process.cwd(),
    get home() {
      return homedir()
    },
    get terminal() {
      return process.stdin.isTTY && process.stderr.isTTY ? terminal : undefined
    },
    clock: systemClock,
    random: systemRandom,
    onStopSignal,
    onReloadSignal,
    exit: (code) => process.exit(code),
    startDetached: async (args, options) => (await import('./programs.ts')).startDetached(args, options),
    shieldProcess,
    runProgram: async (command, args) => (await import('./programs.ts')).runProgram(command, args),
    runTool: async (call) => (await import('./tool.ts')).runTool(call, { environment: process.env, clock: systemClock })
  }
}

/** An empty variable counts as not set (A §11). */
function takeSecret(variable: string): Secret | undefined {
  const text = process.env[variable] ?? ''
  delete process.env[variable]
  return text === '' ? undefined : createSecret(text)
}

function shieldProcess(): void {
  process.umask(0o077)
  process.chdir('/')
  // a listener takes the place of what Node does at SIGUSR1: to open its debugger
  for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => undefined)
}

/** A reader that went away, as in `nunet cap list | head -1`, is no error. */
function outputOf(open: () => NodeJS.WriteStream): Output {
  let stream: NodeJS.WriteStream | undefined
  let isGone = false
  const opened = (): NodeJS.WriteStream => {
    stream ??= open().on('error', ignoreClosed)
    return stream
  }
  return {
    get screen() {
      return screenOf(opened(), process.env)
    },
    get isGone() {
      return isGone
    },
    write: (text) =>
      new Promise((resolve, reject) => {
        opened().write(text, (error) => {
          isGone ||= hasErrno(error, 'EPIPE')
          if (error === undefined || error === null || isGone) resolve()
          else reject(error)
        })
      })
  }
}

function ignoreClosed(error: Error): void {
  if (!hasErrno(error, 'EPIPE')) throw error
}

async function readInput(): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > MAX_INPUT) throw new InputTooLongError(`the input is longer than ${MAX_INPUT} bytes`)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Its code is loaded when somebody is asked: most commands ask nobody. */
const terminal: Terminal = {
  ask: async (question) => (await import('./terminal.ts')).ask(question),
  askHidden: async (question) => (await import('./terminal.ts')).askHidden(question)
}

/** Whether SIGHUP means that the terminal went away: then a process that runs in it has to stop, as without us. */
function hasHangUp(): boolean {
  return process.stdin.isTTY || process.stderr.isTTY
}

function onStopSignal(listener: () => void): () => void {
  const signals = hasHangUp() ? (['SIGINT', 'SIGTERM', 'SIGHUP'] as const) : (['SIGINT', 'SIGTERM'] as const)
  for (const signal of signals) process.on(signal, listener)
  return () => {
    for (const signal of signals) process.off(signal, listener)
  }
}

function onReloadSignal(listener: (signal: string) => void): () => void {
  let isOver = false
  for (const signal of hasHangUp() ? (['SIGUSR1'] as const) : (['SIGHUP', 'SIGUSR1'] as const)) {
    process.on(signal, () => {
      if (!isOver) listener(signal)
    })
  }
  return () => {
    isOver = true // the handlers stay: without them the signals would end a process that is busy with stopping
  }
}
