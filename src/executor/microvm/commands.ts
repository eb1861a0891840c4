import { open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { type AbortOptions, CancelledError, errorMessage } from '../../base/index.ts'
import { ExecutorFailedError } from '../errors.ts'
import type { ExecOptions, ExecResult } from '../executor.ts'
import { commandScript } from './initrd.ts'
import type { RunFiles } from './run-files.ts'

/** The machine keeps the output of a command in its memory. */
const MOST_OUTPUT = 1_048_576
const MOST_COMMAND = 131_072

/**
 * Runs a command inside: the monitor hands it to the machine's first program, which answers with output and exit code.
 *
 * @throws ExecutorFailedError when the machine is not up, does not answer, or the command is too long.
 */
export async function runInside(files: RunFiles, command: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const script = Buffer.from(commandScript(command))
  if (script.length > MOST_COMMAND) throw new ExecutorFailedError(`the command has more than ${MOST_COMMAND} bytes`)
  const most = Math.min(options.maxOutput, MOST_OUTPUT)
  const directory = await open(files.directory, 'r').catch((error: unknown) => {
    throw new ExecutorFailedError('the machine is gone', { cause: error })
  })
  try {
    // The path of a socket must be short; that of an open directory always is.
    const socket = connect(`/proc/self/fd/${directory.fd}/control`)
    socket.write(`exec ${most + 1} ${script.toString('base64')}\n`)
    return await readAnswer(socket, most, options)
  } finally {
    await directory.close()
  }
}

async function readAnswer(socket: Socket, most: number, { signal }: AbortOptions): Promise<ExecResult> {
  const onAbort = (): void => void socket.destroy(new CancelledError('the command inside was given up'))
  signal?.addEventListener('abort', onAbort)
  try {
    if (signal?.aborted === true) onAbort()
    return await collectAnswer(socket, most)
  } catch (error) {
    if (error instanceof CancelledError || error instanceof ExecutorFailedError) throw error
    throw new ExecutorFailedError(`the machine takes no commands: ${errorMessage(error)}`, { cause: error })
  } finally {
    signal?.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}

async function collectAnswer(socket: Socket, most: number): Promise<ExecResult> {
  const parts: Buffer[] = []
  let [size, pending] = [0, '']
  socket.setEncoding('latin1')
  for await (const text of socket as AsyncIterable<string>) {
    const lines = (pending + text).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) {
      const [verb, value = ''] = line.split(' ')
      if (verb === 'end') {
        const output = Buffer.concat(parts)
        return { code: Number(value) & 255, output: output.subarray(0, most), isCut: output.length > most }
      }
      if (verb !== 'out') throw new ExecutorFailedError('the machine is not up yet, or runs too many commands')
      const data = Buffer.from(value, 'base64')
      if (size <= most) parts.push(data)
      size += data.length
    }
    if (pending.length > MOST_COMMAND) break
  }
  throw new ExecutorFailedError('the machine ended before the command did')
}
