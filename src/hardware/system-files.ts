import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Reads files of the kernel by their absolute path; what cannot be read is `undefined`. */
export interface SystemFiles {
  text(path: string): Promise<string | undefined>
  /** Names in a directory, sorted. */
  names(path: string): Promise<readonly string[]>
}

/** The files below `root`, which is `/` outside of tests. */
export function createSystemFiles(root: string): SystemFiles {
  return {
    // absence, a missing right and a driver's error all mean the same here: this machine does not tell
    text: (path) => readFile(join(root, path), 'utf8').catch(() => undefined),
    names: async (path) => (await readdir(join(root, path)).catch(() => [])).sort()
  }
}

/** The whole number that a file holds; `undefined` when there is none. */
export async function readInteger(files: SystemFiles, path: string): Promise<number | undefined> {
  const content = (await files.text(path))?.trim()
  return content !== undefined && /^\d+$/.test(content) ? Number(content) : undefined
}
