import type { JobOutput } from '../../dms/index.ts'
import type { SimulatedProcess } from './process.ts'

type StreamName = 'stdout' | 'stderr'

/** Output on a disk in memory: by directory. */
export type OutputFiles = Map<string, Readonly<Record<StreamName, Uint8Array>>>

/** What {@link createMemoryOutput} needs. */
export interface MemoryOutputOptions {
  readonly root: string
  readonly files: OutputFiles
  readonly process: SimulatedProcess
  /** Does a write of this disk, or fails, or never returns. */
  readonly write: <T>(commit: () => T | Promise<T>) => Promise<T>
}

const NOTHING = new Uint8Array()

/** Output of jobs on a disk in memory, for one process. Appending in pieces is as safe as on a real disk: a piece is there or not. */
export function createMemoryOutput({ root, files, process, write }: MemoryOutputOptions): JobOutput {
  const directory = (...names: readonly string[]): string => [root, ...names].join('/')
  const content = (path: string, stream: StreamName): Uint8Array => files.get(path)?.[stream] ?? NOTHING

  function place(path: string, stream: StreamName, data: Uint8Array, at: number): void {
    const old = content(path, stream)
    const changed = new Uint8Array(Math.max(old.length, at + data.length))
    changed.set(old)
    changed.set(data, at)
    files.set(path, { stdout: content(path, 'stdout'), stderr: content(path, 'stderr'), [stream]: changed })
  }

  return {
    directory,
    prepare: async (...names) => {
      const path = directory(...names)
      if (process.isAlive && !files.has(path)) files.set(path, { stdout: NOTHING, stderr: NOTHING })
      return path
    },
    append: (path, stream, data, offset) =>
      process.guard(() => write(() => place(path, stream, data, offset ?? content(path, stream).length))),
    size: async (path, stream) => content(path, stream).length,
    read: async (path, stream, offset, maxBytes) => {
      const data = content(path, stream)
      return { data: data.slice(offset, offset + Math.max(0, maxBytes)), total: data.length }
    },
    remove: async (path) => {
      if (!process.isAlive) return
      for (const known of [...files.keys()]) if (known === path || known.startsWith(`${path}/`)) files.delete(known)
    }
  }
}
