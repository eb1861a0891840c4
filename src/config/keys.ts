import { type JsonValue, nearest } from '../base/index.ts'
import { CONFIG_SCHEMA, DEPRECATED_KEYS, type Key, type Section } from './schema.ts'

/** A key with its dotted name. */
export interface NamedKey {
  readonly name: string
  readonly key: Key<unknown>
}

/** Every key in the order of the schema. */
export const KEYS: readonly NamedKey[] = flatten(CONFIG_SCHEMA, '')

/** Whether a member of a section is a key, not a section. */
export function isKey(node: Key<unknown> | Section | undefined): node is Key<unknown> {
  return node !== undefined && typeof node['doc'] === 'string'
}

/** The key of a dotted name; a deprecated name finds its successor. */
export function findKey(name: string): NamedKey | undefined {
  const current = currentName(name)
  return KEYS.find((candidate) => candidate.name === current)
}

/** The name that replaced a deprecated one; any other name unchanged. */
export function currentName(name: string): string {
  return Object.hasOwn(DEPRECATED_KEYS, name) ? (DEPRECATED_KEYS[name] ?? name) : name
}

/** The known key that an unknown dotted name probably means, or nothing when none is near. */
export function suggestKey(name: string): string | undefined {
  return (
    nearest(
      name,
      KEYS.map((candidate) => candidate.name)
    ) ?? KEYS.find((candidate) => candidate.name.endsWith(`.${name}`))?.name
  )
}

/** The environment variable of a key (D §3.1): `rest.port` is `DMS_REST_PORT`. */
export function variableOf(name: string): string {
  return `DMS_${name.replaceAll('.', '_').toUpperCase()}`
}

/** `, not "abc"`, cut short; nothing for a secret. */
export function describeRefused({ isSecret }: Key<unknown>, value: JsonValue | undefined): string {
  if (isSecret || value === undefined) return ''
  const shown =
    typeof value === 'bigint'
      ? String(value)
      : JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? String(member) : member))
  return `, not ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}`
}

/** Keys whose values must fit together. */
export const PORT_RANGE = { from: 'general.port_available_range_from', to: 'general.port_available_range_to' } as const

/** What is wrong with values, by dotted name, that are each right alone. */
export function describeContradiction(values: Readonly<Record<string, unknown>>): string | undefined {
  const { [PORT_RANGE.from]: from, [PORT_RANGE.to]: to } = values
  if (typeof from !== 'number' || typeof to !== 'number' || from < to) return undefined
  return `${PORT_RANGE.from} (${from}) must be below ${PORT_RANGE.to} (${to})`
}

function flatten(section: Section, prefix: string): readonly NamedKey[] {
  return Object.entries(section).flatMap(([name, node]) =>
    isKey(node) ? [{ name: prefix + name, key: node }] : flatten(node, `${prefix}${name}.`)
  )
}
