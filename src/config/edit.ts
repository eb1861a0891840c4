import { type Clock, isJsonObject, type JsonValue, systemClock } from '../base/index.ts'
import { readPrivateFile, rewriteFile, withFileLock } from '../db/index.ts'
import { type JsonObject, parseConfigText } from './config-file.ts'
import { ConfigError } from './errors.ts'
import { describeRefused, findKey, KEYS, type NamedKey, suggestKey } from './keys.ts'
import { problemsError, problemsOf } from './load.ts'
import { memberAt, removeMember, renderMembers, setMember } from './members.ts'
import { backUp, deprecatedIn, type Migration, migrateMembers } from './migrate.ts'
import type { Config } from './schema.ts'

/** What {@link setConfigValue} did. */
export interface ConfigChange {
  /** Whether there was no file before. */
  readonly created: boolean
  /** The key that was written: the successor when a deprecated one was asked for. */
  readonly key: string
  /** The value as it stands in the file now. */
  readonly value: JsonValue
  /** Deprecated keys that were moved on the way. */
  readonly migration?: Migration
  /** What else is wrong with the file, and was before: the other commands will refuse it. */
  readonly problems: readonly string[]
}

/** What {@link unsetConfigValue} did. */
export interface ConfigRemoval {
  /** The key or section: the successor when a deprecated one was asked for. */
  readonly key: string
  /** Whether it was in the file. */
  readonly removed: boolean
  readonly migration?: Migration
}

/** What to write, and where. */
export interface ConfigEdit {
  /** The file, from `findConfigFile`. */
  readonly path: string
  /** Dotted, in any case. */
  readonly key: string
  /** Converted by the declared type of the key: `true`, `9999`, `a,b` or JSON for lists. */
  readonly text: string
  /** For the name of the copy that a migration keeps. */
  readonly clock?: Clock
}

/**
 * Sets one value in the file and leaves everything else in it, its mode and its owner as they are (D §3.4, E §2.7).
 * Deprecated keys become their successors on the way, as in `migrateConfigFile`.
 *
 * @throws ConfigError for an unknown key, a value of the wrong type or one that does not fit the others, or a file that
 * is not a JSON object; the file is untouched then.
 * @throws FileLockedError and the other errors of `db` when the file cannot be written.
 */
export async function setConfigValue({ path, key, text, clock = systemClock }: ConfigEdit): Promise<ConfigChange> {
  const named = knownKey(key.toLowerCase())
  const value = convert(named, text)
  return await withFileLock(path, async () => {
    const before = await readPrivateFile(path)
    const members = before === undefined ? {} : parseConfigText(path, before)
    const current = migrateMembers(members, path)
    const after = setMember(current, named.name, value, path)
    const problems = refuseNewProblems(path, current, after)
    const migration = await replace(path, members, after, clock)
    return { created: before === undefined, key: named.name, value, problems, ...withMigration(migration) }
  })
}

/**
 * Takes a key or a whole section out of the file, so that the default counts again.
 *
 * @throws ConfigError for an unknown key, or when what is left would not fit; the file is untouched then.
 * @throws FileLockedError and the other errors of `db` when the file cannot be written.
 */
export async function unsetConfigValue({ path, key, clock = systemClock }: Omit<ConfigEdit, 'text'>): Promise<ConfigRemoval> {
  const name = knownName(key.toLowerCase())
  if ((await readPrivateFile(path)) === undefined) return { key: name, removed: false } // no lock file where nothing is
  return await withFileLock(path, async () => {
    const members = parseConfigText(path, (await readPrivateFile(path)) ?? '')
    const current = migrateMembers(members, path)
    if (memberAt(current, name) === undefined) return { key: name, removed: false }
    const after = removeMember(current, name)
    refuseNewProblems(path, current, after)
    return { key: name, removed: true, ...withMigration(await replace(path, members, after, clock)) }
  })
}

/**
 * The value of a key or section of a configuration, by dotted name in any case.
 *
 * @returns `undefined` when there is no such key; {@link suggestConfigKey} may know which one was meant.
 */
export function getConfigValue(config: Config | JsonValue, key: string): unknown {
  const name = key.toLowerCase()
  return (findKey(name)?.name ?? name).split('.').reduce<unknown>((value, member) => memberOf(value, member), config)
}

/** The key that an unknown name probably means. */
export function suggestConfigKey(key: string): string | undefined {
  return suggestKey(key.toLowerCase())
}

function memberOf(value: unknown, name: string): unknown {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** What was wrong before is told, not refused: this may be the command that mends it. */
function refuseNewProblems(path: string, before: JsonObject, after: JsonObject): readonly string[] {
  const known = problemsOf(path, before)
  const problems = problemsOf(path, after)
  const fresh = problems.filter((problem) => !known.includes(problem))
  if (fresh.length > 0) throw problemsError(fresh, path)
  return problems
}

/** A file that loses deprecated keys is kept beside the new one. */
async function replace(path: string, before: JsonObject, after: JsonObject, clock: Clock): Promise<Migration | undefined> {
  const moved = deprecatedIn(before)
  const text = renderMembers(path, after)
  const backup = moved.length === 0 ? undefined : await backUp(path, clock)
  await rewriteFile(path, text)
  return backup === undefined ? undefined : { moved, backup }
}

function withMigration(migration: Migration | undefined): { readonly migration?: Migration } {
  return migration === undefined ? {} : { migration }
}

function knownKey(name: string): NamedKey {
  const named = findKey(name)
  if (named !== undefined) return named
  const within = KEYS.filter((candidate) => candidate.name.startsWith(`${name}.`)).map((candidate) => candidate.name)
  if (within.length > 0) throw new ConfigError(`${name} is a section: set one of ${within.join(', ')}`)
  throw unknownKey(name)
}

function knownName(name: string): string {
  const isSection = name !== '' && KEYS.some((candidate) => candidate.name.startsWith(`${name}.`))
  const known = isSection ? name : findKey(name)?.name
  if (known === undefined) throw unknownKey(name)
  return known
}

function unknownKey(name: string): ConfigError {
  const suggestion = suggestKey(name)
  const hint = suggestion === undefined ? '' : `; did you mean ${JSON.stringify(suggestion)}?`
  return new ConfigError(`unknown key ${JSON.stringify(name.slice(0, 200))}${hint}`)
}

/** The JSON value to write; it must also be one that a later load accepts. */
function convert({ name, key }: NamedKey, text: string): JsonValue {
  const value = key.type.fromText(text)
  const refusal = value.ok ? key.type.read(value.value) : value
  if (value.ok && refusal.ok) return value.value
  throw new ConfigError(`${name} ${refusal.ok ? '' : refusal.error}${describeRefused(key, text)}`)
}
