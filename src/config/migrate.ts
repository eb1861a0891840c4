import { stat } from 'node:fs/promises'
import { type Clock, DmsError, systemClock } from '../base/index.ts'
import { FileForbiddenError, preserveFile, readPrivateFile, rewriteFile, withFileLock } from '../db/index.ts'
import { type JsonObject, parseConfigText } from './config-file.ts'
import { currentName } from './keys.ts'
import { memberAt, removeMember, renderMembers, setMember } from './members.ts'
import { DEPRECATED_KEYS } from './schema.ts'

/** A file that was rewritten with today's keys. */
export interface Migration {
  /** The deprecated keys that were in the file. */
  readonly moved: readonly string[]
  /** Where the file as it was lies now. */
  readonly backup: string
}

/**
 * Rewrites a file that has deprecated keys with their successors, and keeps the old one beside it (D §3.1).
 *
 * Where both are in the file the new key counts and stays, as when the file is read.
 *
 * @returns Nothing when there was nothing to do.
 * @throws ConfigError for a file that is not a JSON object.
 * @throws FileForbiddenError and the other errors of `db` when it cannot be written; it is as it was then.
 */
export async function migrateConfigFile(
  path: string,
  { clock = systemClock }: { readonly clock?: Clock } = {}
): Promise<Migration | undefined> {
  // Looked at without the lock first: most files have nothing to move, and need not be writable.
  if (deprecatedIn(await readMembers(path)).length === 0) return undefined
  await refuseReadOnly(path)
  return await withFileLock(path, async () => {
    const members = await readMembers(path)
    const moved = deprecatedIn(members)
    if (moved.length === 0) return undefined
    const text = renderMembers(path, migrateMembers(members, path))
    const backup = await backUp(path, clock)
    await rewriteFile(path, text)
    return { moved, backup }
  })
}

/**
 * The same as an attempt: a file that may not be written stays as it is, which is no reason to stop.
 *
 * @returns What was done, or the reason why not.
 */
export async function tryToMigrate(
  path: string,
  options: { readonly clock?: Clock } = {}
): Promise<{ readonly done?: Migration; readonly refused?: string }> {
  try {
    const done = await migrateConfigFile(path, options)
    return done === undefined ? {} : { done }
  } catch (error) {
    if (error instanceof DmsError) return { refused: error.message }
    throw error
  }
}

/** Keeps a copy of the file under the name that the reference uses, `<file>.bk.<unix seconds>`. */
export async function backUp(path: string, clock: Clock): Promise<string> {
  return (await preserveFile(path, `${path}.bk.${Math.floor(clock.now() / 1000)}`)) ?? path
}

/** The deprecated keys that stand in a file. */
export function deprecatedIn(members: JsonObject): readonly string[] {
  return Object.keys(DEPRECATED_KEYS).filter((name) => memberAt(members, name) !== undefined)
}

/** The members with successors in place of deprecated keys. */
export function migrateMembers(members: JsonObject, path: string): JsonObject {
  return deprecatedIn(members).reduce((rest, name) => {
    const value = memberAt(rest, name)
    const without = removeMember(rest, name)
    const isSuperseded = value === undefined || memberAt(without, currentName(name)) !== undefined
    return isSuperseded ? without : setMember(without, currentName(name), value, path)
  }, members)
}

/** A rename would replace a read-only file all the same: who made it so wants it to stay. */
async function refuseReadOnly(path: string): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & 0o222) === 0) throw new FileForbiddenError(`${path} is read-only`)
}

async function readMembers(path: string): Promise<JsonObject> {
  const text = await readPrivateFile(path)
  return text === undefined ? {} : parseConfigText(path, text)
}
