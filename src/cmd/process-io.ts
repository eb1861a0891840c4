import { homedir } from 'node:os'
import { CancelledError, createSecret, hasErrno, systemClock, systemRandom } from '../base/index.ts'
import { InputTooLongError } from './errors.ts'
import { type Io, MAX_INPUT, type Output, type Terminal } from './io.ts'

/**
 * The {@link Io} of this process. Streams, terminal and the modules behind them are made when they are used: they cost a short
 * command more time than its own work.
 *
 * Takes `DMS_PASSPHRASE` out of the environment, so that no child process inherits it (A §14, W7).
 */
export function processIo(): Io {
  const passphrase = process.env['DMS_PASSPHRASE'] ?? ''
  delete process.env['DMS_PASSPHRASE']
  return {
    stdout: outputOf(() => process.stdout),
    stderr: outputOf(() => process.stderr),
    readInput,
    environment: process.env,
    ...(passphrase === '' ? {} : { passphrase: createSecret(passphrase) }),
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
    exit: (code) => process.exit(code),
    runProgram
  }
}

/** A reader that went away, as in `nunet cap list | head -1`, is no error. */
function outputOf(open: () => NodeJS.WriteStream): Output {
  let stream: NodeJS.WriteStream | undefined
  const opened = (): NodeJS.WriteStream => {
    stream ??= open().on('error', ignoreClosed)
    return stream
  }
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        opened().write(text, (error) => {
          if (error === undefined || error === null || hasErrno(error, 'EPIPE')) resolve()
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

const terminal: Terminal = {
  ask: (question) => askLine(question, process.stderr),
  async askHidden(question) {
    process.stderr.write(question)
    const { Writable } = await import('node:stream')
    try {
      return await askLine('', new Writable({ write: (_chunk, _encoding, done) => done() }))
    } finally {
      process.stderr.write('\n')
    }
  }
}

/** What is typed is echoed by readline to `output` only. */
async function askLine(question: string, output: NodeJS.WritableStream): Promise<string> {
  const { createInterface } = await import('node:readline')
  const reader = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 })
  return await new Promise((resolve, reject) => {
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

async function runProgram(command: string, args: readonly string[]): Promise<number> {
  const { spawn } = await import('node:child_process')
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
