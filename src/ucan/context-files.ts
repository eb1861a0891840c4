import type { Clock } from '../base/index.ts'
import {
  backupFile,
  findOpenAccess,
  listFiles,
  type OpenAccess,
  readPrivateFile,
  removeStaleFiles,
  type WriteFileOptions,
  withFileLock,
  writePrivateFile
} from '../db/index.ts'

/** PORT: the private files behind a context store; declared here, satisfied by `db`, and by a disk in memory in the simulator. */
export interface ContextFiles {
  /** The names of the files of a folder with this extension, without it, in order. */
  list(directory: string, extension: string): Promise<readonly string[]>
  /** The text of a file; nothing when there is none. */
  read(path: string): Promise<string | undefined>
  /** Writes the whole file in one step, private to its owner; without `overwrite: false` it replaces what is there. */
  write(path: string, text: string, options?: WriteFileOptions): Promise<void>
  /** Keeps a copy of a file and returns its path; nothing when there is no file. */
  backup(path: string): Promise<string | undefined>
  /** Removes what a write that was cut off has left beside the file. */
  removeStale(path: string): Promise<void>
  /** Who else could change the file. */
  findOpenAccess(path: string): Promise<OpenAccess | undefined>
  /** Runs work while nobody else holds the lock of this path. */
  withLock<T>(path: string, work: () => Promise<T>): Promise<T>
}

/** The files of this machine. */
export function createContextFiles(clock: Clock): ContextFiles {
  return {
    list: listFiles,
    read: readPrivateFile,
    write: writePrivateFile,
    backup: (path) => backupFile(path, { clock }),
    removeStale: removeStaleFiles,
    findOpenAccess,
    withLock: (path, work) => withFileLock(path, work)
  }
}
