import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import type { WalletHost } from './host.ts'

/** The path of an executable of this name in the absolute directories of `PATH`; nothing when there is none. */
export async function findProgram(name: string, { environment }: Pick<WalletHost, 'environment'>): Promise<string | undefined> {
  const directories = (environment['PATH'] ?? '').split(delimiter).filter(isAbsolute)
  for (const directory of directories) {
    const path = join(directory, name)
    if (await isExecutable(path)) return path
  }
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false // not there, or not for us: the next directory may have one
  }
}
