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

type Schema = Readonly<Record<string, JsonValue>>

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

/** The texts of a list, or the one text in its place; what is no text is itself a fault, shown as JSON. */
function textsOf(value: JsonValue | undefined): readonly string[] {
  if (value === undefined) return []
  const items = Array.isArray(value) ? (value as readonly JsonValue[]) : [value]
  return items.map((item) => (typeof item === 'string' ? item : JSON.stringify(item)))
}

/** What is wrong with a schema: words that it may not have, types that do not exist, references that lead nowhere. */
export function schemaFaults(document: JsonValue, schema: JsonValue | undefined, path = '#'): readonly string[] {
  if (!isJsonObject(schema)) return [`${path} is no schema`]
  const { properties, items, additionalProperties } = schema
  const named = isJsonObject(properties) ? properties : {}
  const below = {
    ...named,
    ...(items === undefined ? {} : { items }),
    ...(additionalProperties === undefined ? {} : { '*': additionalProperties })
  }
  return [
    ...Object.keys(schema).flatMap((word) => (WORDS.has(word) ? [] : [`${path} has the unknown word ${word}`])),
    ...textsOf(schema['type']).flatMap((name) => (name in TYPES ? [] : [`${path} has the unknown type ${name}`])),
    ...textsOf(schema['$ref']).flatMap((reference) =>
      resolvePointer(document, reference) === undefined ? [`${path} refers to ${reference}, which is not there`] : []
    ),
    ...textsOf(schema['required']).flatMap((name) =>
      name in named ? [] : [`${path} requires ${name}, which it does not describe`]
    ),
    ...Object.entries(below).flatMap(([name, inner]) => schemaFaults(document, inner, `${path}/${name}`))
  ]
}

/** Where a value does not have the form of a schema. */
export function valueFaults(document: JsonValue, schema: JsonValue | undefined, value: JsonValue, path = ''): readonly string[] {
  if (!isJsonObject(schema)) return [`${path}: no schema`]
  return [
    ...textsOf(schema['$ref']).flatMap((reference) => valueFaults(document, resolvePointer(document, reference), value, path)),
    ...scalarFaults(schema, value).map((fault) => `${path} ${fault}`),
    ...partFaults(document, schema, value, path)
  ]
}

function scalarFaults(schema: Schema, value: JsonValue): readonly string[] {
  const { maxLength, minimum, maximum } = schema
  const types = textsOf(schema['type'])
  const isTyped = types.length === 0 || types.some((name) => TYPES[name]?.(value) === true)
  const isTooLong = typeof maxLength === 'number' && typeof value === 'string' && value.length > maxLength
  const isListed = schema['enum'] === undefined || (typeof value === 'string' && textsOf(schema['enum']).includes(value))
  return [
    ...(isTyped ? [] : [`is not ${types.join(' or ')}`]),
    ...(isListed ? [] : ['is not in the list']),
    ...(isTooLong ? ['is too long'] : []),
    ...(isBelow(value, minimum) || isBelow(maximum, value) ? ['is out of range'] : [])
  ]
}

function partFaults(document: JsonValue, schema: Schema, value: JsonValue, path: string): readonly string[] {
  const { properties, items, additionalProperties } = schema
  if (Array.isArray(value)) {
    const list = value as readonly JsonValue[]
    return items === undefined ? [] : list.flatMap((item, index) => valueFaults(document, items, item, `${path}/${index}`))
  }
  if (!isJsonObject(value)) return []
  const named = isJsonObject(properties) ? properties : {}
  return [
    ...textsOf(schema['required']).flatMap((name) => (name in value ? [] : [`${path} lacks ${name}`])),
    ...Object.entries(value).flatMap(([name, member]) =>
      valueFaults(document, named[name] ?? additionalProperties ?? {}, member, `${path}/${name}`)
    )
  ]
}

function isBelow(value: JsonValue | undefined, limit: JsonValue | undefined): boolean {
  const isNumber = (candidate: unknown): candidate is number | bigint =>
    typeof candidate === 'number' || typeof candidate === 'bigint'
  return isNumber(value) && isNumber(limit) && value < limit
}
