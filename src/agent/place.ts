import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, type Stats } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { errorMessage, hasErrno } from '../base/index.ts'
import { UnsafeRuntimeDirectoryError } from './errors.ts'

/** Where agents are looked for. */
export interface AgentPlaces {
  /** The absolute directory of keys and contexts; each has an agent of its own. */
  readonly userDir: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The effective user id of this process; nothing where the system has none: then there are no agents. */
  readonly uid: number | undefined
}

/** Longest path of a Unix socket on Linux, in bytes. */
const MAX_SOCKET_PATH = 107

/**
 * The socket of the agent for a user directory: `$XDG_RUNTIME_DIR/nunet/agent-<hash>.sock`, or below `<tmp>/nunet-<uid>` where that
 * directory is missing or belongs to somebody else, as under sudo.
 *
 * Costs three looks at the file system. The socket itself need not exist.
 *
 * @returns Nothing when its directory is missing, or is not private to this user: then nobody is trusted there.
 */
export function findAgentSocket(places: AgentPlaces): string | undefined {
  const { uid } = places
  if (uid === undefined) return undefined
  const directory = runtimeDirectory(places, uid)
  const status = lstatOf(directory)
  if (status === undefined || directoryFault(directory, status, uid) !== undefined) return undefined
  const path = socketPath(directory, places.userDir)
  return isTooLong(path) ? undefined : path
}

/**
 * The same for an agent that is about to start: makes the directory, with mode 0700.
 *
 * @throws UnsafeRuntimeDirectoryError when the directory belongs to another user, is open to others, or is no directory.
 */
export function prepareAgentSocket(places: AgentPlaces): string {
  const { uid } = places
  if (uid === undefined) throw new UnsafeRuntimeDirectoryError('the agent needs a system with user ids')
  const directory = runtimeDirectory(places, uid)
  makeDirectory(directory)
  const status = lstatOf(directory)
  const fault = status === undefined ? 'was removed meanwhile' : directoryFault(directory, status, uid)
  if (fault !== undefined) {
    throw new UnsafeRuntimeDirectoryError(
      `the directory ${directory} for the agent's socket ${fault}; remove it or set XDG_RUNTIME_DIR`
    )
  }
  const path = socketPath(directory, places.userDir)
  if (isTooLong(path)) {
    throw new UnsafeRuntimeDirectoryError(
      `the path ${path} is longer than the ${MAX_SOCKET_PATH} bytes of a socket; set TMPDIR to a shorter one`
    )
  }
  return path
}

function runtimeDirectory({ environment }: AgentPlaces, uid: number): string {
  const given = environment['XDG_RUNTIME_DIR'] ?? ''
  const status = isAbsolute(given) ? lstatOf(given) : undefined
  if (status?.isDirectory() === true && status.uid === uid && (status.mode & 0o022) === 0) return join(given, 'nunet')
  const temporary = environment['TMPDIR'] ?? ''
  return join(isAbsolute(temporary) ? temporary : '/tmp', `nunet-${uid}`)
}

function socketPath(directory: string, userDir: string): string {
  const hash = createHash('sha256').update(userDir).digest('hex')
  return join(directory, `agent-${hash.slice(0, 16)}.sock`)
}

function isTooLong(path: string): boolean {
  return Buffer.byteLength(path) > MAX_SOCKET_PATH
}

/** Of the name itself: a link is not followed. */
function lstatOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch {
    return undefined // missing or out of reach: either way there is no agent
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return
    throw new UnsafeRuntimeDirectoryError(
      `cannot make the directory ${directory} for the agent's socket: ${errorMessage(error)}; set XDG_RUNTIME_DIR to a directory of yours`,
      { cause: error }
    )
  }
}

function directoryFault(directory: string, status: Stats, uid: number): string | undefined {
  if (!status.isDirectory()) return 'is no directory'
  if (status.uid !== uid) return `belongs to user ${status.uid}`
  if ((status.mode & 0o077) !== 0) return `is open to other users (mode ${(status.mode & 0o7777).toString(8).padStart(4, '0')})`
  const parent = lstatOf(dirname(directory))
  return parent !== undefined && canReplaceEntries(parent, uid) ? 'can be replaced by other users' : undefined
}

/** Whether others than this user and root may rename what lies in a directory: it is open to them and not sticky. */
function canReplaceEntries({ mode, uid: owner }: Stats, uid: number): boolean {
  return (owner !== uid && owner !== 0) || ((mode & 0o022) !== 0 && (mode & 0o1000) === 0)
}
