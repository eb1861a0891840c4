import { spawn } from 'node:child_process'
import { homedir } from 'node:os'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { CancelledError, createSecret, hasErrno, type Secret, systemClock, systemRandom } from '../base/index.ts'
import { InputTooLongError } from './errors.ts'
import { type Io, MAX_INPUT, type Output, type Terminal } from './io.ts'

/**
 * The {@link Io} of this process.
 *
 * Takes `DMS_PASSPHRASE` and `DMS_NEW_PASSPHRASE` out of the environment, so that no child process inherits it (A §14, W7).
 */
export function processIo(): Io {
  const passphrase = takeSecret('DMS_PASSPHRASE')
  const newPassphrase = takeSecret('DMS_NEW_PASSPHRASE')
  const hasTerminal = process.stdin.isTTY && process.stderr.isTTY
  return {
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    readInput,
    environment: process.env,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(newPassphrase === undefined ? {} : { newPassphrase }),
    cwd: process.cwd(),
    home: homedir(),
    ...(hasTerminal ? { terminal } : {}),
    clock: systemClock,
    random: systemRandom,
    onStopSignal,
    exit: (code) => process.exit(code),
    startDetached: async (args) => (await import('./detached.ts')).startDetached(args),
    shieldProcess,
    runProgram
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
function outputOf(stream: NodeJS.WriteStream): Output {
  const ignoreClosed = (error: Error): void => {
    if (!hasErrno(error, 'EPIPE')) throw error
  }
  stream.on('error', ignoreClosed)
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        stream.write(text, (error) => {
          if (error === undefined || error === null || hasErrno(error, 'EPIPE')) resolve()
          else reject(error)
        })
      })
  }
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

const terminal: Terminal = {
  ask: (question) => askLine(question, process.stderr),
  async askHidden(question) {
    process.stderr.write(question)
    try {
      return await askLine('', new Writable({ write: (_chunk, _encoding, done) => done() }))
    } finally {
      process.stderr.write('\n')
    }
  }
}

/** What is typed is echoed by readline to `output` only. */
function askLine(question: string, output: NodeJS.WritableStream): Promise<string> {
  const reader = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 })
  return new Promise((resolve, reject) => {
    reader.question(question, (answer) => {
      resolve(answer)
      reader.close()
    })
    reader.once('SIGINT', () => reader.close())
    // After an answer this comes too late to matter.
    reader.once('close', () => reject(new CancelledError('the question was not answered')))
  })
}

function onStopSignal(listener: () => void): () => void {
  process.on('SIGINT', listener)
  process.on('SIGTERM', listener)
  return () => {
    process.off('SIGINT', listener)
    process.off('SIGTERM', listener)
  }
}

function runProgram(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
