import { spawn } from 'node:child_process'
import { homedir } from 'node:os'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { CancelledError, createSecret, hasErrno, systemClock, systemRandom } from '../base/index.ts'
import { InputTooLongError } from './errors.ts'
import { type Io, MAX_INPUT, type Output, type Terminal } from './io.ts'

/**
 * The {@link Io} of this process.
 *
 * Takes `DMS_PASSPHRASE` out of the environment, so that no child process inherits it (A §14, W7).
 */
export function processIo(): Io {
  const passphrase = process.env['DMS_PASSPHRASE'] ?? ''
  delete process.env['DMS_PASSPHRASE']
  const hasTerminal = process.stdin.isTTY && process.stderr.isTTY
  return {
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    readInput,
    environment: process.env,
    ...(passphrase === '' ? {} : { passphrase: createSecret(passphrase) }),
    cwd: process.cwd(),
    home: homedir(),
    ...(hasTerminal ? { terminal } : {}),
    clock: systemClock,
    random: systemRandom,
    onStopSignal,
    onReloadSignal,
    exit: (code) => process.exit(code),
    runProgram
  }
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

function runProgram(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
