/**
 * db: durable state of this machine: private files and a small key-value store.
 *
 * Imports: base.
 * State: the files it is pointed to; nothing in memory but an open store.
 */
export {
  DamagedRecordError,
  DiskFullError,
  FileExistsError,
  FileFailedError,
  FileForbiddenError,
  FileLockedError,
  FileRefusedError,
  ForeignStoreError,
  InvalidRecordError,
  NewerStoreError,
  ReadFailedError,
  StoreClosedError,
  StoreOpenError,
  WriteFailedError
} from './errors.ts'
export { findOpenAccess, type OpenAccess } from './file-access.ts'
export { type FileLockOptions, lockHolder, withFileLock } from './file-lock.ts'
export {
  backupFile,
  fileStamp,
  listBackups,
  listFiles,
  MAX_PRIVATE_FILE,
  preserveFile,
  readPrivateFile,
  removeFile,
  removeStaleFiles,
  rewriteFile,
  type WriteFileOptions,
  writePrivateFile
} from './files.ts'
export { createMemoryStore, type MemoryStore, type MemoryStoreOptions, type StoreSnapshot } from './memory.ts'
export type { RecordChange } from './records.ts'
export { openStore, type StoreOptions } from './sqlite.ts'
export type { Change, Collection, KeyValueStore } from './store.ts'
