const MAX_PART_BYTES = 255
const MAX_BYTES = 1024
const MAX_PARTS = 64

/**
 * Whether a name that came from elsewhere, with `/` between its parts, is the path of a file below a directory of ours: no part is
 * empty, `.`, `..` or longer than a file's name can be, and there are no control characters.
 *
 * What is not is refused, and never mended.
 */
export function isRelativePath(name: string): boolean {
  const parts = name.split('/')
  const isWrong = (part: string): boolean =>
    part === '' || part === '.' || part === '..' || Buffer.byteLength(part) > MAX_PART_BYTES
  return !parts.some(isWrong) && parts.length <= MAX_PARTS && Buffer.byteLength(name) <= MAX_BYTES && !/\p{Cc}/u.test(name)
}

/** A path that cannot lie beside the others: it is there twice, or another needs it to be a directory. */
export function clashIn(paths: readonly string[]): string | undefined {
  const files = new Set<string>()
  for (const path of paths) {
    if (files.has(path)) return path
    files.add(path)
  }
  for (const path of paths) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash)
      if (files.has(parent)) return parent
    }
  }
  return undefined
}
