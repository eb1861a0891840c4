import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { hasErrno } from '../base/index.ts'
import { BadFileError, NoFileError } from './errors.ts'

/** Largest file that is read, in bytes. */
const MAX_FILE = 4 * 2 ** 20

/** The text of an ensemble, and access to the files beside it. */
export interface SourceFile {
  readonly text: string
  /** Reads a file in the directory of the source or below it, links resolved; nothing when there is none. */
  readFile(path: string): Uint8Array | undefined
}

/**
 * Opens a text file that the user named.
 *
 * @throws NoFileError, BadFileError when it is no regular file, too large, not UTF-8 or forbidden.
 */
export function openSource(path: string, cwd: string): SourceFile {
  const full = resolve(cwd, path)
  const data = read(full)
  if (data === undefined) throw new NoFileError(`the file ${path} does not exist`)
  const directory = realpathSync(dirname(full))
  return {
    text: decode(data, path),
    readFile: (name) => read(join(directory, name), directory)
  }
}

function decode(data: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(data)
  } catch (error) {
    throw new BadFileError(`${path} is not UTF-8 text`, { cause: error })
  }
}

/** Resolves links first, so that a link cannot lead out of `within`. */
function read(path: string, within?: string): Uint8Array | undefined {
  try {
    const real = realpathSync(path)
    if (within !== undefined && !real.startsWith(within.endsWith(sep) ? within : within + sep)) {
      throw new BadFileError(`${path} leads out of the directory ${within}`)
    }
    return readRegular(real)
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return undefined
    if (hasErrno(error, 'EACCES')) throw new BadFileError(`${path} may not be read by this user`, { cause: error })
    throw error
  }
}

function readRegular(path: string): Uint8Array {
  // without O_NONBLOCK, opening a pipe would wait for a writer
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const status = fstatSync(file)
    if (!status.isFile()) throw new BadFileError(`${path} is not a regular file`)
    if (status.size > MAX_FILE) throw new BadFileError(`${path} has ${status.size} bytes, at most ${MAX_FILE} are read`)
    const buffer = new Uint8Array(status.size)
    return buffer.subarray(0, readSync(file, buffer, 0, status.size, 0))
  } finally {
    closeSync(file)
  }
}
