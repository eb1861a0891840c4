import { randomBytes } from 'node:crypto'
import { linkSync, lstatSync, mkdirSync, renameSync, type Stats, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { errorMessage, hasErrno, type Millis, seconds } from '../base/index.ts'
import { SocketInUseError, SocketPlaceError } from './errors.ts'

/** Longest path of a Unix socket on Linux, in bytes. */
const MAX_SOCKET_PATH = 107

/** How long a program that holds a socket may take to take a connection; the kernel does it alone, so more means no. */
const CONNECT_TIME: Millis = seconds(2)

/**
 * Makes the place for a socket: a directory that only this user can enter, and nothing at the path.
 *
 * What a killed daemon left there is removed, but only when it is a socket of this user at which nobody listens; links are not
 * followed. File rights are the whole protection, for Node does not tell who is at the other end.
 *
 * @throws SocketPlaceError when the path is too long, or its directory is open to others or of somebody else.
 * @throws SocketInUseError when somebody listens there.
 */
export async function prepareSocket(path: string): Promise<void> {
  const size = Buffer.byteLength(path)
  if (size > MAX_SOCKET_PATH) {
    throw new SocketPlaceError(
      `the path ${path} has ${size} bytes, and a socket takes ${MAX_SOCKET_PATH}; choose a shorter one with rest.socket`
    )
  }
  makeDirectory(dirname(path))
  await removeStale(path)
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) {
      throw new SocketPlaceError(`cannot make the directory ${directory} for the socket (rest.socket): ${errorMessage(error)}`, {
        cause: error
      })
    }
  }
  const fault = directoryFault(lstatOf(directory))
  if (fault !== undefined) {
    throw new SocketPlaceError(
      `the directory ${directory} for the socket ${fault}; name one in a directory of mode 0700 with rest.socket, which is made if it is missing`
    )
  }
}

function directoryFault(status: Stats | undefined): string | undefined {
  if (status?.isDirectory() !== true) return 'is no directory'
  if (status.uid !== process.geteuid?.()) return `belongs to user ${status.uid}`
  if ((status.mode & 0o077) === 0) return undefined
  return `is open to other users (mode ${(status.mode & 0o7777).toString(8).padStart(4, '0')})`
}

async function removeStale(path: string): Promise<void> {
  const status = lstatOf(path)
  if (status === undefined) return
  if (!status.isSocket() || status.uid !== process.geteuid?.()) {
    throw new SocketPlaceError(`${path} is there already and is not a socket of this user; remove it, or set rest.socket`)
  }
  if (await isServed(path)) throw socketInUse(path)
  // Taken away first: of two daemons that start at once, neither removes the socket that the other has just made.
  const aside = `${path}.${randomBytes(4).toString('hex')}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return
    throw new SocketPlaceError(`cannot remove ${path}, which a daemon left: ${errorMessage(error)}`, { cause: error })
  }
  const isTaken = await isServed(aside)
  if (isTaken) putBack(aside, path)
  unlinkSync(aside)
  if (isTaken) throw socketInUse(path)
}

function putBack(aside: string, path: string): void {
  try {
    linkSync(aside, path)
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error // a third one made its own meanwhile
  }
}

/** What to say when somebody listens at the path already. */
export function socketInUse(path: string): SocketInUseError {
  return new SocketInUseError(
    `cannot listen on ${path}: another program, perhaps another DMS, listens there; choose another one with rest.socket`
  )
}

/** Whether somebody listens; nobody does at what a killed program left. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.setTimeout(CONNECT_TIME, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => resolve(!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ECONNREFUSED')))
  })
}

function lstatOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}
