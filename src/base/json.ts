import type { Issue } from './codec.ts'
import { err, ok, type Result } from './result.ts'

/** What {@link parseJson} returns: integers beyond ±2^53 are `bigint`, all other numbers are `number`. */
export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | { readonly [name: string]: JsonValue }

/** Nesting beyond this is refused: nothing the DMS reads comes near it. */
const MAX_DEPTH = 64

class JsonSyntaxError extends Error {}

/**
 * Parses JSON without losing 64-bit integers (A §1.10) and without JavaScript's tolerance for repeated names.
 *
 * Stricter than `JSON.parse`: repeated member names and nesting over 64 levels are errors; `__proto__` is an ordinary
 * member. The issue's message names the offset.
 */
export function parseJson(text: string): Result<JsonValue, Issue> {
  const parser = createParser(text)
  try {
    return ok(parser.document())
  } catch (error) {
    if (error instanceof JsonSyntaxError) return err({ path: '', message: error.message })
    throw error
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters that JSON forbids in strings
const PLAIN_STRING = /[^"\\\u0000-\u001f]*/y
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t'
}

/**
 * The members of an object that was read: nothing is inherited, so `constructor` and `__proto__` are names like all others.
 *
 * Instances of a class, unlike `Object.create(null)`, share the layout of their members, which halves the time of reading.
 */
class Members {
  [name: string]: JsonValue
}
Object.setPrototypeOf(Members.prototype, null)
Reflect.deleteProperty(Members.prototype, 'constructor')

function createParser(text: string): { document(): JsonValue } {
  let at = 0

  function fail(expected: string): never {
    const found = at < text.length ? JSON.stringify(text.charAt(at)) : 'the end'
    throw new JsonSyntaxError(`invalid JSON at offset ${at}: expected ${expected}, found ${found}`)
  }

  function skipSpace(): void {
    for (;;) {
      const code = text.charCodeAt(at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      at += 1
    }
  }

  function expect(character: string): void {
    if (text.charAt(at) !== character) fail(JSON.stringify(character))
    at += 1
  }

  function string(): string {
    expect('"')
    let result = ''
    for (;;) {
      PLAIN_STRING.lastIndex = at
      const plain = PLAIN_STRING.exec(text)?.[0] ?? ''
      result += plain
      at += plain.length
      const next = text.charAt(at)
      if (next === '"') {
        at += 1
        return result
      }
      if (next !== '\\') fail('the rest of a string')
      result += escapeSequence()
    }
  }

  function escapeSequence(): string {
    const letter = text.charAt(at + 1)
    if (letter === 'u') {
      const hex = text.slice(at + 2, at + 6)
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) fail('four hexadecimal digits after \\u')
      at += 6
      return String.fromCharCode(Number.parseInt(hex, 16))
    }
    const character = ESCAPES[letter]
    if (character === undefined) fail('a string escape')
    at += 2
    return character
  }

  function number(): number | bigint {
    NUMBER.lastIndex = at
    const literal = NUMBER.exec(text)?.[0]
    if (literal === undefined) fail('a value')
    if (literal.length > 400) fail('a number of at most 400 digits')
    const value = Number(literal)
    const isInteger = /^-?\d+$/.test(literal)
    // Go refuses it too, and nothing could write it again
    if (!isInteger && !Number.isFinite(value)) fail('a number within the range of 64-bit floats')
    at += literal.length
    return isInteger && !Number.isSafeInteger(value) ? BigInt(literal) : value
  }

  function keyword<T>(word: string, value: T): T {
    if (!text.startsWith(word, at)) fail('a value')
    at += word.length
    return value
  }

  function array(depth: number): JsonValue[] {
    expect('[')
    const items: JsonValue[] = []
    skipSpace()
    if (text.charAt(at) === ']') {
      at += 1
      return items
    }
    for (;;) {
      items.push(value(depth))
      skipSpace()
      if (text.charAt(at) === ']') break
      expect(',')
    }
    at += 1
    return items
  }

  function object(depth: number): { [name: string]: JsonValue } {
    expect('{')
    const members = new Members()
    skipSpace()
    if (text.charAt(at) === '}') {
      at += 1
      return members
    }
    for (;;) {
      skipSpace()
      const name = string()
      if (name in members) fail(`member names to differ (${JSON.stringify(name)} is repeated)`)
      skipSpace()
      expect(':')
      members[name] = value(depth)
      skipSpace()
      if (text.charAt(at) === '}') break
      expect(',')
    }
    at += 1
    return members
  }

  function value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) fail(`nesting of at most ${MAX_DEPTH} levels`)
    skipSpace()
    switch (text.charAt(at)) {
      case '{':
        return object(depth + 1)
      case '[':
        return array(depth + 1)
      case '"':
        return string()
      case 't':
        return keyword('true', true)
      case 'f':
        return keyword('false', false)
      case 'n':
        return keyword('null', null)
      default:
        return number()
    }
  }

  return {
    document() {
      const result = value(0)
      skipSpace()
      if (at < text.length) fail('nothing more')
      return result
    }
  }
}

/**
 * Encodes as Go's `encoding/json` does (A §7.2): compact, members in the order given, `<`, `>`, `&`, U+2028 and U+2029
 * escaped, `bigint` as a plain integer, members that are `undefined` left out.
 *
 * @throws TypeError for functions, symbols and numbers that are not finite: bugs of the caller.
 */
export function encodeGoJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return encodeGoString(value)
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`cannot encode ${value} as JSON`)
      return encodeGoNumber(value)
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'object':
      return value === null ? 'null' : encodeGoObject(value)
    default:
      throw new TypeError(`cannot encode a ${typeof value} as JSON`)
  }
}

function encodeGoObject(value: object): string {
  if (Array.isArray(value)) {
    return `[${value.map((item: unknown) => encodeGoJson(item === undefined ? null : item)).join(',')}]`
  }
  let members = ''
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members += `${members === '' ? '' : ','}${encodeGoString(name)}:${encodeGoJson(member)}`
  }
  return `{${members}}`
}

/** Go's encoding/json writes floats as ECMAScript does, but keeps the sign of zero. */
function encodeGoNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters that Go escapes
const NEEDS_ESCAPE = /["\\<>&\u0000-\u001f\u2028\u2029\ud800-\udfff]/

function encodeGoString(text: string): string {
  if (!NEEDS_ESCAPE.test(text)) return `"${text}"`
  return JSON.stringify(text.replace(/\p{Surrogate}/gu, '\ufffd')).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
}

/** A JSON object, as opposed to `null`, lists and plain values. */
export function isJsonObject(value: unknown): value is { readonly [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
