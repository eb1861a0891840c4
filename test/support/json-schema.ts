import { isJsonObject, type JsonValue } from '../../src/base/index.ts'

/** Words of JSON Schema that the checker understands; a schema with another one is itself a fault. */
const WORDS: ReadonlySet<string> = new Set([
  '$ref',
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'enum',
  'minimum',
  'maximum',
  'maxLength',
  'description',
  'examples',
  'contentEncoding',
  'contentMediaType'
])

const TYPES: Readonly<Record<string, (value: JsonValue) => boolean>> = {
  string: (value) => typeof value === 'string',
  integer: (value) => typeof value === 'bigint' || Number.isInteger(value),
  number: (value) => typeof value === 'bigint' || typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  array: (value) => Array.isArray(value),
  object: isJsonObject
}

/** Finds what `#/…` points to. */
export function resolvePointer(document: JsonValue, reference: string): JsonValue | undefined {
  return reference
    .slice(2)
    .split('/')
    .reduce<JsonValue | undefined>((value, name) => (isJsonObject(value) ? value[name] : undefined), document)
}

/** What is wrong with a schema: words that it may not have, types that do not exist, references that lead nowhere. */
export function schemaFaults(document: JsonValue, schema: JsonValue | undefined, path = '#'): readonly string[] {
  if (!isJsonObject(schema)) return [`${path} is no schema`]
  const { type, $ref, properties, required, items, additionalProperties } = schema
  const types = type === undefined ? [] : Array.isArray(type) ? (type as readonly JsonValue[]) : [type]
  const names = Object.keys(isJsonObject(properties) ? properties : {})
  return [
    ...Object.keys(schema).flatMap((word) => (WORDS.has(word) ? [] : [`${path} has the unknown word ${word}`])),
    ...types.flatMap((name) =>
      typeof name === 'string' && name in TYPES ? [] : [`${path} has the unknown type ${String(name)}`]
    ),
    ...($ref === undefined || (typeof $ref === 'string' && resolvePointer(document, $ref) !== undefined)
      ? []
      : [`${path} refers to ${String($ref)}, which is not there`]),
    ...(Array.isArray(required) ? required : []).flatMap((name: JsonValue) =>
      names.includes(String(name)) ? [] : [`${path} requires ${String(name)}, which it does not describe`]
    ),
    ...names.flatMap((name) =>
      schemaFaults(document, isJsonObject(properties) ? properties[name] : undefined, `${path}/${name}`)
    ),
    ...(items === undefined ? [] : schemaFaults(document, items, `${path}/items`)),
    ...(additionalProperties === undefined ? [] : schemaFaults(document, additionalProperties, `${path}/*`))
  ]
}

/** Where a value does not have the form of a schema. */
export function valueFaults(document: JsonValue, schema: JsonValue | undefined, value: JsonValue, path = ''): readonly string[] {
  if (!isJsonObject(schema)) return [`${path}: no schema`]
  const { type, $ref, properties = {}, required = [], items, additionalProperties, maxLength, minimum, maximum } = schema
  const types = type === undefined ? [] : Array.isArray(type) ? (type as readonly JsonValue[]) : [type]
  const named = isJsonObject(properties) ? properties : {}
  const members = isJsonObject(value) ? Object.entries(value) : []
  return [
    ...(typeof $ref === 'string' ? valueFaults(document, resolvePointer(document, $ref), value, path) : []),
    ...(types.length === 0 || types.some((name) => TYPES[String(name)]?.(value) === true)
      ? []
      : [`${path} is not ${types.join(' or ')}`]),
    ...(Array.isArray(schema['enum']) && !schema['enum'].includes(value as never) ? [`${path} is not in the list`] : []),
    ...(typeof maxLength === 'number' && typeof value === 'string' && value.length > maxLength ? [`${path} is too long`] : []),
    ...(isBelow(value, minimum) || isBelow(maximum, value) ? [`${path} is out of range`] : []),
    ...(isJsonObject(value) && Array.isArray(required) ? (required as readonly JsonValue[]) : []).flatMap((name) =>
      isJsonObject(value) && String(name) in value ? [] : [`${path} lacks ${String(name)}`]
    ),
    ...members.flatMap(([name, member]) =>
      valueFaults(document, named[name] ?? additionalProperties ?? {}, member, `${path}/${name}`)
    ),
    ...(items === undefined || !Array.isArray(value) ? [] : (value as readonly JsonValue[])).flatMap((item, index) =>
      valueFaults(document, items, item, `${path}/${index}`)
    )
  ]
}

function isBelow(value: JsonValue | undefined, limit: JsonValue | undefined): boolean {
  const isNumber = (candidate: unknown): candidate is number | bigint =>
    typeof candidate === 'number' || typeof candidate === 'bigint'
  return isNumber(value) && isNumber(limit) && value < limit
}
