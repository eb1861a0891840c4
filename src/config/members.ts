import { isJsonObject, type JsonValue } from '../base/index.ts'
import type { JsonObject } from './config-file.ts'
import { ConfigError } from './errors.ts'

/** The value at the end of a dotted name, or nothing. */
export function memberAt(members: JsonObject, name: string): JsonValue | undefined {
  return name.split('.').reduce<JsonValue | undefined>((value, member) => {
    return isJsonObject(value) && Object.hasOwn(value, member) ? value[member] : undefined
  }, members)
}

/**
 * The members with one of them set; everything else stays as it is, in its order.
 *
 * @throws ConfigError when something on the way is no object.
 */
export function setMember(members: JsonObject, name: string, value: JsonValue, path: string): JsonObject {
  return setBelow(members, name.split('.'), value, path)
}

/** The members without one of them, and without sections that are empty then. */
export function removeMember(members: JsonObject, name: string): JsonObject {
  return removeBelow(members, name.split('.'))
}

/**
 * The text of the file.
 *
 * @throws ConfigError for a number that would not be written as it was read.
 */
export function renderMembers(path: string, members: JsonObject): string {
  const json = JSON.stringify(
    members,
    (name, value: unknown) => {
      if (typeof value === 'bigint') throw new ConfigError(`${path}: ${name} has a number that is too large, ${value}`)
      return value
    },
    2
  )
  return `${json}\n`
}

function setBelow(members: JsonObject, [first = '', ...rest]: readonly string[], value: JsonValue, path: string): JsonObject {
  if (rest.length === 0) return { ...members, [first]: value }
  const inner = members[first] ?? {}
  if (!isJsonObject(inner))
    throw new ConfigError(`${path}: ${first} must be an object, { … }, before ${rest.join('.')} can be set`)
  return { ...members, [first]: setBelow(inner, rest, value, path) }
}

function removeBelow(members: JsonObject, [first = '', ...rest]: readonly string[]): JsonObject {
  const { [first]: inner, ...others } = members
  if (inner === undefined || rest.length === 0) return others
  if (!isJsonObject(inner)) return members
  const left = removeBelow(inner, rest)
  return Object.keys(left).length === 0 ? others : { ...members, [first]: left }
}
