import { StorageNotPermittedError } from './errors.ts'

const MAX_SEGMENT_BYTES = 255
const MAX_DEPTH = 64

/**
 * The path below a directory for a name that came from elsewhere, with `/` between its parts.
 *
 * @throws StorageNotPermittedError for parts that are empty, `.`, `..`, too long or hold control characters: a name that would lead
 * elsewhere, or that no file can have, is refused and never mended.
 */
export function toRelativePath(name: string): string {
  const parts = name.split('/')
  const wrong = parts.find((part) => part === '' || part === '.' || part === '..' || Buffer.byteLength(part) > MAX_SEGMENT_BYTES)
  if (wrong !== undefined || parts.length > MAX_DEPTH || /\p{Cc}/u.test(name)) {
    throw new StorageNotPermittedError(`${JSON.stringify(name.slice(0, 200))} cannot be the path of a file`)
  }
  return name
}

/** @throws StorageNotPermittedError when two names are the same, or one needs another's file to be a directory. */
export function checkDisjoint(paths: readonly string[]): void {
  const files = new Set<string>()
  for (const path of paths) {
    if (files.has(path)) throw new StorageNotPermittedError(`${JSON.stringify(path)} is there twice`)
    files.add(path)
  }
  for (const path of paths) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash)
      if (files.has(parent)) throw new StorageNotPermittedError(`${JSON.stringify(parent)} is a file and a directory`)
    }
  }
}
