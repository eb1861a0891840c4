import { DmsError, type LogFields } from '../base/index.ts'

/** A log field after {@link cleanFields}: JSON-safe, bounded and without secrets. */
export type CleanValue = null | boolean | number | string | readonly CleanValue[] | { readonly [name: string]: CleanValue }

/** Fields that may be written. */
export type CleanFields = Readonly<Record<string, CleanValue>>

const REDACTED = '«secret»'
const MAX_DEPTH = 6
const MAX_MEMBERS = 100
const MAX_TEXT = 8192
const MAX_CAUSES = 5

/** Names whose value is never written, compared in lower case without `_` and `-`. */
const SECRET_NAME =
  /(?:passphrase|password|secret|token|tokens|apikey|mnemonic|seedphrase|credential|credentials|authorization)$|^private/

/** Names that every line has already; a field of that name would appear twice. */
const RESERVED: readonly string[] = ['timestamp', 'level', 'msg']

/**
 * Makes log fields safe to write: secrets by name or type become «secret», errors become their message, everything is
 * bounded in depth, members and length.
 *
 * An error in a field `error` also gives `errorCode`, when it has a code, and `stack_trace`.
 */
export function cleanFields(fields: LogFields): CleanFields {
  const cleaned = Object.entries(fields)
    .slice(0, MAX_MEMBERS)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) => [
      [RESERVED.includes(name) ? `${name}_` : name, cleanMember(name, value, 1)] as const,
      ...(name === 'error' && value instanceof Error ? describeError(value) : [])
    ])
  return Object.fromEntries(cleaned)
}

function describeError(error: Error): readonly (readonly [string, CleanValue])[] {
  const code = error instanceof DmsError ? [['errorCode', error.code] as const] : []
  return [...code, ['stack_trace', cutText(stackOf(error, MAX_CAUSES))]]
}

/** The stack with those of its causes, which say what really went wrong. */
function stackOf(error: Error, causes: number): string {
  const own = error.stack ?? `${error.name}: ${error.message}`
  return error.cause instanceof Error && causes > 0 ? `${own}\ncaused by: ${stackOf(error.cause, causes - 1)}` : own
}

function cleanMember(name: string, value: unknown, depth: number): CleanValue {
  return SECRET_NAME.test(name.toLowerCase().replace(/[_-]/g, '')) ? REDACTED : clean(value, depth)
}

function clean(value: unknown, depth: number): CleanValue {
  switch (typeof value) {
    case 'string':
      return cutText(value)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
      return value
    case 'object':
      return value === null ? null : cleanObject(value, depth)
    case 'function':
      return '[function]'
    default:
      return String(value)
  }
}

function cleanObject(value: object, depth: number): CleanValue {
  if (value instanceof Error) return cutText(value.message)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (depth > MAX_DEPTH) return '[too deep]'
  if ('toJSON' in value && typeof value.toJSON === 'function') return clean(tryToJson(value), depth + 1)
  if (Array.isArray(value)) return value.slice(0, MAX_MEMBERS).map((item: unknown) => clean(item, depth + 1))
  const members = entriesOf(value).slice(0, MAX_MEMBERS)
  return Object.fromEntries(members.map(([name, member]) => [name, cleanMember(name, member, depth + 1)]))
}

function entriesOf(value: object): readonly (readonly [name: string, value: unknown])[] {
  return value instanceof Map ? [...value].map(([name, member]) => [String(name), member] as const) : Object.entries(value)
}

/** A `Secret` gives «secret» here, a `Date` its ISO form. */
function tryToJson(value: object): unknown {
  try {
    return JSON.parse(JSON.stringify(value))
  } catch {
    return '[not printable]' // an invalid date, for one: a log line must not fail its caller
  }
}

/** A text of at most 8192 characters, with its length when it was longer. */
export function cutText(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}… (${text.length} characters)` : text
}
