import type { Stats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasErrno } from '../base/index.ts'
import { toFileError } from './errors.ts'

/** Who besides its owner can change a file, and what to do about it. */
export interface OpenAccess {
  /** What is too open: the file itself or the directory that it lies in. */
  readonly path: string
  /** Who can write there, for a message: `everybody`, `the group 27`. */
  readonly writer: string
  /** The permission bits, as `0666`. */
  readonly mode: string
  /** The command that closes it. */
  readonly remedy: string
}

const GROUP_WRITE = 0o020
const OTHERS_WRITE = 0o002
const STICKY = 0o1000

/**
 * Looks whether others than its owner can change a file: through its own mode, or by replacing it in its directory.
 *
 * A group counts as the owner's own when both have the same number, as systems with a private group for each user make
 * them; no list of members is consulted. Who may only read is no matter here. In a sticky directory such as `/tmp` only
 * owners replace their files, so it counts as closed. Access lists beyond the mode are not looked at.
 *
 * @returns `undefined` when only the owner can, when there is no such file, and on systems without such modes.
 */
export async function findOpenAccess(path: string): Promise<OpenAccess | undefined> {
  if (process.getuid === undefined) return undefined
  try {
    const target = await realpath(path)
    const directory = dirname(target)
    return openFile(target, await stat(target)) ?? openDirectory(directory, await stat(directory))
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return undefined
    throw toFileError(error, `cannot look at ${path}`)
  }
}

function openFile(path: string, { mode, uid, gid }: Stats): OpenAccess | undefined {
  if ((mode & OTHERS_WRITE) !== 0) return { path, writer: 'everybody', mode: octal(mode), remedy: `chmod go-w ${path}` }
  if ((mode & GROUP_WRITE) === 0 || uid === gid) return undefined
  return { path, writer: `the group ${gid}`, mode: octal(mode), remedy: `chmod g-w ${path}` }
}

function openDirectory(path: string, { mode }: Stats): OpenAccess | undefined {
  if ((mode & OTHERS_WRITE) === 0 || (mode & STICKY) !== 0) return undefined
  return { path, writer: 'everybody', mode: octal(mode), remedy: `chmod o-w ${path}` }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}
