import { clashIn, isRelativePath } from '../base/index.ts'
import { StorageNotPermittedError } from './errors.ts'

/** @throws StorageNotPermittedError for names that would lead elsewhere, or that no file can have. */
export function toRelativePath(name: string): string {
  if (isRelativePath(name)) return name
  throw new StorageNotPermittedError(`${JSON.stringify(name.slice(0, 200))} cannot be the path of a file`)
}

/** @throws StorageNotPermittedError when two names are the same, or one needs another's file to be a directory. */
export function checkDisjoint(paths: readonly string[]): void {
  const clash = clashIn(paths)
  if (clash !== undefined)
    throw new StorageNotPermittedError(`${JSON.stringify(clash)} is there twice, or is a file and a directory`)
}
