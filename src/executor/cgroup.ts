import { createHash } from 'node:crypto'
import { mkdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bytes, type Clock, hasErrno, millis } from '../base/index.ts'

/** What a group of processes may use together. */
export interface CgroupLimits {
  /** Fractions allowed. */
  readonly cpuCores: number
  readonly memory: Bytes
}

/** Control groups of the kernel, version 1 or 2, below one group of this program. */
export interface Cgroups {
  /**
   * Makes the group of a name, or sets the limits of the one that is there.
   *
   * @returns The files into which a process writes its id to join; none where this machine or user does not permit groups.
   */
  create(name: string, limits: CgroupLimits): Promise<readonly string[]>
  /** How many processes of the group the kernel has killed because its memory was used up; 0 without a group. */
  oomKills(name: string): Promise<number>
  /** Removes the group once its processes are gone; idempotent. */
  remove(name: string): Promise<void>
}

const PARENT = 'nunet'
const PERIOD_US = 100_000
/** A job that gets less never comes to its first instruction. */
const LEAST_QUOTA_US = 5000
/** A machine that is busy takes its time with the last process of a group. */
const REMOVE_TRIES = 500
const REMOVE_PAUSE = millis(20)

/** A name for the group of whatever is at this path; no path leads out of it. */
export function cgroupName(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32)
}

/** Control groups, where this process may make some; elsewhere every operation does nothing. */
export function createCgroups({ clock, root = '/sys/fs/cgroup' }: { readonly clock: Clock; readonly root?: string }): Cgroups {
  /** The directories of a group: one, or in version 1 one for each controller. */
  async function directoriesOf(name: string): Promise<readonly string[]> {
    if (await exists(join(root, 'cgroup.controllers'))) return [join(root, PARENT, name)]
    return ['cpu', 'memory'].map((controller) => join(root, controller, PARENT, name))
  }

  return {
    async create(name, limits) {
      const joined: string[] = []
      for (const directory of await directoriesOf(name)) {
        try {
          await makeGroup(root, directory)
          await setLimits(directory, limits)
          joined.push(join(directory, 'cgroup.procs'))
        } catch (error) {
          // not root, not delegated, or a controller is missing: the other limits of the driver hold all the same
          if (!(error instanceof Error && 'code' in error)) throw error
        }
      }
      return joined
    },
    async oomKills(name) {
      let total = 0
      for (const directory of await directoriesOf(name)) {
        for (const file of ['memory.events', 'memory.oom_control']) {
          const text = await readFile(join(directory, file), 'utf8').catch(() => '') // the other version, or no group
          total += Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
        }
      }
      return total
    },
    async remove(name) {
      for (const directory of await directoriesOf(name)) await removeGroup(directory, clock)
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false
  )
}

/** In version 2 a group has only the controllers that the one above gives it. */
async function makeGroup(root: string, directory: string): Promise<void> {
  const parent = join(directory, '..')
  await makeDirectory(parent)
  if (parent === join(root, PARENT)) {
    for (const above of [root, parent]) await writeFile(join(above, 'cgroup.subtree_control'), '+cpu +memory')
  }
  await makeDirectory(directory)
}

/** One level: asked for a whole path, Node tries for ever where the kernel has no control groups to show (`ip netns exec` hides them). */
async function makeDirectory(path: string): Promise<void> {
  await mkdir(path).catch((error: unknown) => {
    if (!hasErrno(error, 'EEXIST')) throw error
  })
}

async function setLimits(directory: string, { cpuCores, memory }: CgroupLimits): Promise<void> {
  const quota = Math.max(LEAST_QUOTA_US, Math.round(cpuCores * PERIOD_US))
  const bytes = String(memory)
  const settings: readonly (readonly [file: string, value: string])[] = [
    ['cpu.max', `${quota} ${PERIOD_US}`],
    ['memory.max', bytes],
    ['memory.swap.max', '0'],
    ['cpu.cfs_period_us', String(PERIOD_US)],
    ['cpu.cfs_quota_us', String(quota)],
    ['memory.limit_in_bytes', bytes],
    ['memory.memsw.limit_in_bytes', bytes]
  ]
  for (const [file, value] of settings) {
    if (await exists(join(directory, file))) await writeFile(join(directory, file), value)
  }
}

/** The kernel keeps a group until it has taken leave of its last process. */
async function removeGroup(directory: string, clock: Clock): Promise<void> {
  for (let tries = 0; tries < REMOVE_TRIES; tries += 1) {
    try {
      await rmdir(directory)
      await rmdir(join(directory, '..')).catch(() => undefined) // others are in it
      return
    } catch (error) {
      if (!hasErrno(error, 'EBUSY')) return // there is none, or it was never ours to make
      await clock.sleep(REMOVE_PAUSE)
    }
  }
}
