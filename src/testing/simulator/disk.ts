import { createSerialQueue } from '../../base/index.ts'
import {
  type Change,
  createMemoryStore,
  DiskFullError,
  FileExistsError,
  type KeyValueStore,
  type RecordChange,
  type StoreSnapshot,
  WriteFailedError
} from '../../db/index.ts'
import type { JobOutput } from '../../dms/index.ts'
import type { ContextFiles } from '../../ucan/index.ts'
import { createMemoryOutput, type OutputFiles } from './memory-output.ts'
import type { SimulatedProcess } from './process.ts'
import type { World } from './world.ts'

/** What a machine has on its disk: it outlives every process, and holds exactly what was written. */
export interface Disk {
  /** The database as far as it has been committed. */
  records: StoreSnapshot
  readonly files: Map<string, string>
  readonly output: OutputFiles
  /** Whether writes fail for want of room. */
  isFull: boolean
  /** Longest time that one write takes, in milliseconds; 0: none. */
  slowness: number
}

/** An empty disk. */
export function createDisk(): Disk {
  return { records: new Map(), files: new Map(), output: new Map(), isFull: false, slowness: 0 }
}

/** What a process is given of a disk. */
export interface MountedDisk {
  readonly store: KeyValueStore
  readonly contextFiles: ContextFiles
  readonly jobOutput: JobOutput
  readonly deploymentOutput: JobOutput
}

/** Whether the process dies at a write, and on which side of it. */
export type CrashPoint = 'before' | 'after' | undefined

/** What goes on at a disk. */
export interface DiskObserver {
  /** Asked once for each write. */
  crashPoint(): CrashPoint
  /** The process dies now. */
  crash(): void
  committed(changes: readonly RecordChange[]): void
  fileWritten(path: string, text: string): void
}

/** Mounts a disk for one process: reads are at once, writes happen whole or not at all, and none after the death of the process. */
export function mountDisk(world: World, disk: Disk, process: SimulatedProcess, observer: DiskObserver): MountedDisk {
  const chance = world.chance

  /** One write: slow, refused, cut off by the death of the process, or done. */
  async function write<T>(commit: () => T | Promise<T>): Promise<T> {
    if (disk.slowness > 0) await world.sleep(chance.between(1, disk.slowness))
    if (!process.isAlive) return never()
    if (disk.isFull) throw new DiskFullError('no space left on this disk')
    const point = observer.crashPoint()
    if (point === 'before') {
      observer.crash()
      return never()
    }
    const result = await commit()
    if (point === 'after') {
      observer.crash()
      return never()
    }
    return result
  }

  return {
    store: mountStore(disk, process, observer, write),
    contextFiles: mountFiles(disk, process, observer, write),
    jobOutput: createMemoryOutput({ root: '/jobs', files: disk.output, process, write }),
    deploymentOutput: createMemoryOutput({ root: '/deployments', files: disk.output, process, write })
  }
}

type Write = <T>(commit: () => T | Promise<T>) => Promise<T>

function mountStore(disk: Disk, process: SimulatedProcess, observer: DiskObserver, write: Write): KeyValueStore {
  const queue = createSerialQueue()
  let pending: readonly RecordChange[] = []
  const store = createMemoryStore({
    onWrite: (changes) => {
      pending = changes
    }
  })
  store.restore(disk.records)

  async function commit(changes: readonly Change[]): Promise<void> {
    await store.transaction(changes)
    disk.records = store.snapshot()
    observer.committed(pending)
  }

  async function transaction(changes: readonly Change[]): Promise<void> {
    try {
      await write(() => commit(changes))
    } catch (error) {
      if (!(error instanceof DiskFullError)) throw error
      throw new WriteFailedError(`${changes.length} changes were not written`, { cause: error })
    }
  }

  return {
    ...store,
    transaction: (changes) =>
      process.guard(() => (changes.length === 0 ? Promise.resolve() : queue.run(() => transaction(changes))))
  }
}

function mountFiles(disk: Disk, process: SimulatedProcess, observer: DiskObserver, write: Write): ContextFiles {
  const { files } = disk
  return {
    list: async (directory, extension) =>
      [...files.keys()]
        .filter((path) => path.startsWith(`${directory}/`) && path.endsWith(extension))
        .map((path) => path.slice(directory.length + 1, -extension.length))
        .sort(),
    read: async (path) => files.get(path),
    write: (path, text, { overwrite = true } = {}) =>
      process.guard(() =>
        write(() => {
          if (!overwrite && files.has(path)) throw new FileExistsError(`${path} exists already and is not replaced`)
          files.set(path, text)
          observer.fileWritten(path, text)
        })
      ),
    backup: async () => undefined,
    removeStale: async () => undefined,
    findOpenAccess: async () => undefined,
    withLock: (_path, work) => work()
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined)
}
