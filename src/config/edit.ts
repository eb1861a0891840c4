import { isJsonObject, type JsonValue } from '../base/index.ts'
import { readPrivateFile, rewriteFile, withFileLock } from '../db/index.ts'
import { type JsonObject, parseConfigText } from './config-file.ts'
import { ConfigError } from './errors.ts'
import { describeContradiction, describeRefused, findKey, KEYS, type NamedKey, PORT_RANGE, suggestKey } from './keys.ts'
import type { Config } from './schema.ts'

/** What {@link setConfigValue} did. */
export interface ConfigChange {
  /** Whether there was no file before. */
  readonly created: boolean
  /** The key that was written: the successor when a deprecated one was asked for. */
  readonly key: string
  /** The value as it stands in the file now. */
  readonly value: JsonValue
}

/** What to write, and where. */
export interface ConfigEdit {
  /** The file, from `findConfigFile`. */
  readonly path: string
  /** Dotted, in any case. */
  readonly key: string
  /** Converted by the declared type of the key: `true`, `9999`, `a,b` or JSON for lists. */
  readonly text: string
}

/**
 * Sets one value in the file and leaves everything else in it, its mode and its owner as they are (D §3.4, E §2.7).
 *
 * @throws ConfigError for an unknown key, a value of the wrong type or a file that is not a JSON object; the file is
 * untouched then.
 * @throws FileLockedError and the other errors of `db` when the file cannot be written.
 */
export async function setConfigValue({ path, key, text }: ConfigEdit): Promise<ConfigChange> {
  const named = knownKey(key.toLowerCase())
  const value = convert(named, text)
  return await withFileLock(path, async () => {
    const before = await readPrivateFile(path)
    const members = before === undefined ? {} : parseConfigText(path, before)
    const after = setMember(members, named.name.split('.'), value, path)
    refuseContradiction(after, named, path)
    await rewriteFile(path, `${render(path, after)}\n`)
    return { created: before === undefined, key: named.name, value }
  })
}

/**
 * The value of a key or section of a configuration, by dotted name in any case.
 *
 * @returns `undefined` when there is no such key; {@link suggestConfigKey} may know which one was meant.
 */
export function getConfigValue(config: Config, key: string): unknown {
  const name = key.toLowerCase()
  return valueIn(config, findKey(name)?.name ?? name)
}

/** The key that an unknown name probably means. */
export function suggestConfigKey(key: string): string | undefined {
  return suggestKey(key.toLowerCase())
}

function memberOf(value: unknown, name: string): unknown {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

function knownKey(name: string): NamedKey {
  const named = findKey(name)
  if (named !== undefined) return named
  const within = KEYS.filter((candidate) => candidate.name.startsWith(`${name}.`)).map((candidate) => candidate.name)
  if (within.length > 0) throw new ConfigError(`${name} is a section: set one of ${within.join(', ')}`)
  const suggestion = suggestKey(name)
  const hint = suggestion === undefined ? '' : `; did you mean ${JSON.stringify(suggestion)}?`
  throw new ConfigError(`unknown key ${JSON.stringify(name.slice(0, 200))}${hint}`)
}

/** The JSON value to write; it must also be one that a later load accepts. */
function convert({ name, key }: NamedKey, text: string): JsonValue {
  const value = key.type.fromText(text)
  const refusal = value.ok ? key.type.read(value.value) : value
  if (value.ok && refusal.ok) return value.value
  throw new ConfigError(`${name} ${refusal.ok ? '' : refusal.error}${describeRefused(key, text)}`)
}

function setMember(members: JsonObject, [first = '', ...rest]: readonly string[], value: JsonValue, path: string): JsonObject {
  if (rest.length === 0) return { ...members, [first]: value }
  const inner = members[first] ?? {}
  if (!isJsonObject(inner))
    throw new ConfigError(`${path}: ${first} must be an object, { … }, before ${rest.join('.')} can be set`)
  return { ...members, [first]: setMember(inner, rest, value, path) }
}

/** A file that says what the key contradicts could not be loaded any more, by no command. */
function refuseContradiction(members: JsonObject, { name }: NamedKey, path: string): void {
  const names: readonly string[] = Object.values(PORT_RANGE)
  if (!names.includes(name)) return
  const values = names.map((other): readonly [string, unknown] => [other, valueIn(members, other) ?? findKey(other)?.key.default])
  const contradiction = describeContradiction(Object.fromEntries<unknown>(values))
  if (contradiction !== undefined) throw new ConfigError(`${path}: ${contradiction}`)
}

function valueIn(members: object, name: string): unknown {
  return name.split('.').reduce<unknown>((value, member) => memberOf(value, member), members)
}

function render(path: string, members: JsonObject): string {
  return JSON.stringify(
    members,
    (name, value: unknown) => {
      if (typeof value === 'bigint') throw new ConfigError(`${path}: ${name} has a number that is too large, ${value}`)
      return value
    },
    2
  )
}
