import { constants } from 'node:fs'
import { mkdir, open, realpath, stat } from 'node:fs/promises'
import { hasErrno } from '../../base/index.ts'
import { StorageFailedError, StorageNotPermittedError } from '../errors.ts'
import { isMounted, runTool } from '../tools.ts'

/** A directory of this machine that the owner gives to jobs. */
export interface AllowedPath {
  /** Absolute. */
  readonly path: string
  /** Whose jobs may use it; everybody's when absent. */
  readonly did?: string
}

/** What {@link resolveHostPath} decides with. */
export interface HostPathRules {
  readonly allowed: readonly AllowedPath[]
  /** Directories of the daemon itself: nothing above or below them is given away. */
  readonly hidden: readonly string[]
}

const IS_DIRECTORY = constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_RDONLY

/**
 * Where a path leads once every link is followed.
 *
 * @throws StorageNotPermittedError unless that is at or below an allowed path, and away from the directories of the daemon. The same
 * message whether the path exists or not: strangers learn nothing of the machine.
 */
export async function resolveHostPath(path: string, owner: string, { allowed, hidden }: HostPathRules): Promise<string> {
  const refusal = new StorageNotPermittedError(
    `src: the owner of this machine does not give ${path} to jobs (storage.host_paths)`
  )
  const target = await resolved(path)
  if (target === undefined) throw refusal
  for (const entry of allowed.filter(({ did }) => did === undefined || did === owner)) {
    const root = await resolved(entry.path)
    if (root === undefined || root === '/' || !isAtOrBelow(target, root)) continue
    for (const own of hidden) {
      const place = (await resolved(own)) ?? own
      if (isAtOrBelow(target, place) || isAtOrBelow(place, target)) throw refusal
    }
    if (!(await stat(target)).isDirectory()) throw refusal
    return target
  }
  throw refusal
}

/**
 * Binds a checked directory to `mountPoint`, so that no link that a job puts in its way later changes what it means.
 *
 * The directory is held open while it is bound, and looked at again through that: what was checked is what is bound.
 */
export async function pinDirectory(target: string, mountPoint: string): Promise<void> {
  if (await isMounted(mountPoint)) return
  await mkdir(mountPoint, { recursive: true, mode: 0o700 })
  const directory = await open(target, IS_DIRECTORY)
  try {
    const held = `/proc/${process.pid}/fd/${directory.fd}`
    if ((await realpath(held)) !== target) throw new StorageFailedError(`${target} was moved while it was mounted`)
    await runTool('mount', ['--no-canonicalize', '--bind', held, mountPoint])
  } finally {
    await directory.close()
  }
}

function isAtOrBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`)
}

async function resolved(path: string): Promise<string | undefined> {
  try {
    return await realpath(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENAMETOOLONG'].some((name) => hasErrno(error, name))) return undefined
    throw error
  }
}
