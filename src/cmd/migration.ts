import { type LoadedConfig, type Migration, tryToMigrate } from '../config/index.ts'
import type { Io } from './io.ts'
import { note } from './output.ts'

/** Tells which keys were replaced, and where the file as it was lies. */
export async function tellMigration({ moved, backup }: Migration, path: string, io: Io): Promise<void> {
  await note(io, `Deprecated keys in ${path} were replaced by their successors: ${moved.join(', ')}`)
  await note(io, `The file as it was is kept as ${backup}`)
}

/**
 * Rewrites a file with deprecated keys, as the start of the daemon does (D §3.1), or tells why it stays.
 *
 * @returns The warnings that are still true.
 */
export async function migrateSettings({ path, warnings }: LoadedConfig, io: Io): Promise<readonly string[]> {
  if (path === undefined || warnings.length === 0) return warnings
  const { done, refused } = await tryToMigrate(path, { clock: io.clock })
  if (done !== undefined) {
    await tellMigration(done, path, io)
    return []
  }
  const all = refused === undefined ? warnings : [...warnings, `the deprecated keys could not be replaced: ${refused}`]
  for (const warning of all) await note(io, `Warning: ${warning}`)
  return all
}
