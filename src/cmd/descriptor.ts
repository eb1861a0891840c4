import { createReadStream, fstatSync, type Stats } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { errorMessage } from '../base/index.ts'
import { BadFileError, InputTooLongError } from './errors.ts'

/** Longest text that is read from a descriptor, in bytes. */
const MAX_LENGTH = 64 * 2 ** 10

/**
 * Reads an inherited file descriptor to its end, as text: a pipe, a socket, a file or a terminal.
 *
 * @throws BadFileError when it is not open, cannot be read or is not UTF-8; InputTooLongError.
 */
export async function readDescriptor(descriptor: number): Promise<string> {
  const status = statusOf(descriptor)
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of openDescriptor(descriptor, status) as AsyncIterable<Uint8Array>) {
      chunks.push(chunk)
      length += chunk.length
      if (length > MAX_LENGTH) throw new InputTooLongError(`file descriptor ${descriptor} delivers more than ${MAX_LENGTH} bytes`)
    }
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks))
  } catch (error) {
    if (error instanceof InputTooLongError) throw error
    throw new BadFileError(`cannot read file descriptor ${descriptor}: ${errorMessage(error)}`, { cause: error })
  }
}

/** Node has descriptors of its own above 2, which are none of these kinds. */
function statusOf(descriptor: number): Stats {
  try {
    const status = fstatSync(descriptor)
    if (isStream(status) || status.isFile() || status.isCharacterDevice()) return status
  } catch (cause) {
    throw new BadFileError(`file descriptor ${descriptor} is not open`, { cause })
  }
  throw new BadFileError(`file descriptor ${descriptor} is no pipe and no file`)
}

/** A pipe may be one that does not wait, which only a socket of Node can read. */
function openDescriptor(descriptor: number, status: Stats): Readable {
  return isStream(status)
    ? new Socket({ fd: descriptor, readable: true, writable: false })
    : createReadStream('', { fd: descriptor })
}

function isStream(status: Stats): boolean {
  return status.isFIFO() || status.isSocket()
}
