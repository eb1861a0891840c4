import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AbortOptions, type Bytes, bytes, type Clock, type Logger, type Millis, millis, seconds } from '../../base/index.ts'
import type { DockerClient } from './client.ts'
import type { Containers } from './containers.ts'
import type { ContainerState } from './state.ts'

/** A file takes at least a block, and so does the name of one: many empty ones fill a disk as well. */
const LEAST_ENTRY = 4096
/** A tree that is measured all the time must not keep the machine busy: the pause is so many times as long as the measuring. */
const REST = 10
const LEAST_PAUSE = seconds(1)

/** What {@link keepToDisk} works with. */
export interface DiskContext {
  readonly client: DockerClient
  readonly containers: Containers
  readonly clock: Clock
  readonly log: Logger
}

/** Whether a container that Docker's storage driver does not limit has written more than its disk. */
export async function isOverDisk({ client }: Pick<DiskContext, 'client'>, state: ContainerState): Promise<boolean> {
  const { disk, upperDirectory } = state
  if (disk === undefined) return false
  const walked = upperDirectory === undefined ? undefined : await measureTree(upperDirectory, disk)
  return (walked ?? (await writtenByDocker(client, state.id))) > disk
}

/**
 * Kills a container that writes more than its disk, until the signal: what Docker does not limit is measured.
 *
 * What it writes between two looks, about a second, is not prevented.
 */
export async function keepToDisk(context: DiskContext, state: ContainerState, options: AbortOptions): Promise<void> {
  const { client, clock, log } = context
  if (state.disk === undefined) return
  for (;;) {
    const begun = clock.now()
    const isOver = await isOverDisk(context, state).catch(() => false) // gone, or Docker is away: the next look says more
    if (isOver) {
      log.warn('a container has written more than its disk and is killed', { container: state.id, disk: state.disk })
      await client
        .call({ method: 'POST', path: `/containers/${state.id}/kill`, query: { signal: 'KILL' } })
        .catch(() => undefined)
    }
    const pause: Millis = millis(Math.max(LEAST_PAUSE, (clock.now() - begun) * REST))
    await clock.sleep(pause, options)
  }
}

/**
 * What a tree takes on the disk; counts no further than a bit beyond `enough`.
 *
 * @returns `undefined` where this process may not look.
 */
export async function measureTree(root: string, enough: Bytes): Promise<Bytes | undefined> {
  let total = 0
  const waiting = [root]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    try {
      for await (const entry of await opendir(directory)) {
        const path = join(directory, entry.name)
        if (entry.isDirectory()) waiting.push(path)
        total += Math.max(LEAST_ENTRY, entry.isFile() ? (await lstat(path)).blocks * 512 : 0)
        if (total > enough) return bytes(total)
      }
    } catch {
      if (directory === root) return undefined
      // removed meanwhile: it takes nothing any more
    }
  }
  return bytes(total)
}

async function writtenByDocker(client: DockerClient, id: string): Promise<number> {
  const { body } = await client.call({ method: 'GET', path: `/containers/${id}/json`, query: { size: 'true' } })
  const size = typeof body === 'object' && body !== null && 'SizeRw' in body ? body.SizeRw : 0
  return typeof size === 'number' ? size : 0
}
