import type { JsonValue } from '../../base/index.ts'
import { below, kindOf, type Place, refuse, suggestion } from './reading.ts'

/**
 * Both directions of one part of the grammar, and its description.
 *
 * `read` notes every error in the place's reading and returns `undefined` when there was one.
 */
export interface Schema<T> {
  /** What it accepts, for messages and the reference page. */
  readonly about: string
  /** In a file, `""` and `0` say that there is none. */
  readonly isBlankNone?: boolean
  /** The names in the value are the user's, so a map of empty values still says something. */
  readonly hasOwnNames?: boolean
  read(value: JsonValue, place: Place): T | undefined
  encode(value: T): unknown
}

/** Longest text where nothing else is said, in characters. */
const MAX_TEXT = 16_384

/** Most items of a list. */
const MAX_ITEMS = 1024

/** What is asked of a text. */
export interface TextRule {
  readonly about?: string
  readonly pattern?: RegExp
  /** Completes `must be …` when the pattern does not match. */
  readonly expected?: string
  readonly max?: number
  /** `''` is a value. */
  readonly mayBeEmpty?: boolean
  readonly isBlankNone?: boolean
}

/** A text without zero bytes; numbers and truth values are refused because YAML has already changed them. */
export function text(rule: TextRule = {}): Schema<string> {
  const { pattern, expected = 'a valid text', max = MAX_TEXT, mayBeEmpty = false, isBlankNone = false } = rule
  return {
    about: rule.about ?? 'text',
    isBlankNone,
    read(value, place) {
      if (typeof value === 'number' || typeof value === 'boolean') {
        return refuse(place, `must be a text: write it in quotes, "${value}"`)
      }
      if (typeof value !== 'string') return refuse(place, `must be a text, is ${kindOf(value)}`)
      if (value.length > max) return refuse(place, `must have at most ${max} characters, has ${value.length}`)
      if (value === '' && !mayBeEmpty) return refuse(place, 'must not be empty')
      if (value.includes('\0')) return refuse(place, 'must not contain a zero byte')
      return pattern === undefined || pattern.test(value) ? value : refuse(place, `must be ${expected}`)
    },
    encode: (value) => value
  }
}

/** One of several words; `aliases` are other spellings by word they stand for. */
export function oneOf<const T extends string>(words: readonly T[], aliases: Readonly<Record<string, T>> = {}): Schema<T> {
  const about = words.map((word) => `\`${word}\``).join(', ')
  return {
    about,
    read(value, place) {
      const word = typeof value === 'string' && Object.hasOwn(aliases, value) ? aliases[value] : value
      const found = words.find((candidate) => candidate === word)
      if (found !== undefined) return found
      if (typeof value !== 'string') return refuse(place, `must be one of ${words.join(', ')}, is ${kindOf(value)}`)
      return refuse(
        place,
        `must be one of ${words.join(', ')}, is ${JSON.stringify(value.slice(0, 64))}${suggestion(value, words)}`
      )
    },
    encode: (value) => value
  }
}

/** What is asked of a number. */
export interface NumberRule {
  readonly about?: string
  readonly min?: number
  /** Exclusive lower bound. */
  readonly above?: number
  readonly max?: number
  readonly isBlankNone?: boolean
}

/** A finite number; in a file also as text, which is what a placeholder leaves. */
export function number(rule: NumberRule = {}): Schema<number> {
  const { min = Number.NEGATIVE_INFINITY, above = Number.NEGATIVE_INFINITY, max = Number.MAX_SAFE_INTEGER } = rule
  return {
    about: rule.about ?? 'number',
    isBlankNone: rule.isBlankNone ?? false,
    read(value, place) {
      const amount = toNumber(value, place)
      if (amount === undefined) return refuse(place, `must be a number, is ${kindOf(value)}`)
      if (amount < min) return refuse(place, `must be at least ${min}, is ${amount}`)
      if (amount <= above) return refuse(place, `must be more than ${above}, is ${amount}`)
      return amount <= max ? amount : refuse(place, `must be at most ${max}, is ${amount}`)
    },
    encode: (value) => value
  }
}

/** A whole number below 2^53. */
export function integer(rule: NumberRule = {}): Schema<number> {
  return refined({ ...number(rule), about: rule.about ?? 'whole number' }, (value) =>
    Number.isSafeInteger(value) ? undefined : `must be a whole number, is ${value}`
  )
}

const DECIMAL = /^-?\d{1,16}(?:\.\d{1,16})?$/

function toNumber(value: JsonValue, place: Place): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  const isDecimalText = place.reading.dialect === 'file' && typeof value === 'string' && DECIMAL.test(value)
  return isDecimalText ? Number(value) : undefined
}

/** A yes or no; in a file also as text, which is what a placeholder leaves. */
export const flag: Schema<boolean> = {
  about: '`true` or `false`',
  read(value, place) {
    if (typeof value === 'boolean') return value
    if (place.reading.dialect === 'file' && (value === 'true' || value === 'false')) return value === 'true'
    return refuse(place, `must be true or false, is ${kindOf(value)}`)
  },
  encode: (value) => value
}

/** A list. */
export function list<T>(item: Schema<T>, max = MAX_ITEMS): Schema<readonly T[]> {
  return {
    about: `list of ${item.about}`,
    read(value, place) {
      if (!isList(value)) return refuse(place, `must be a list, is ${kindOf(value)}`)
      if (value.length > max) return refuse(place, `must have at most ${max} items, has ${value.length}`)
      const items = value.map((entry, index) => item.read(entry, below(place, String(index))))
      const known = items.filter((entry) => entry !== undefined)
      return known.length === items.length ? known : undefined
    },
    encode: (items) => items.map((entry) => item.encode(entry))
  }
}

/** A list that a file may also give as its only item, which earns a warning. */
export function listOrItem<T>(item: Schema<T>, max = MAX_ITEMS): Schema<readonly T[]> {
  const many = list(item, max)
  return prepared(many, (value, place) => {
    if (place.reading.dialect === 'wire' || isList(value)) return value
    place.reading.warn(place.path, 'should be a list: write it as an item after "- "')
    return [value]
  })
}

/** Whether a value is a list; `Array.isArray` forgets the items' type. */
export function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}

/** The same schema over a value that is first brought into another form. */
export function prepared<T>(schema: Schema<T>, prepare: (value: JsonValue, place: Place) => JsonValue): Schema<T> {
  return { ...schema, read: (value, place) => schema.read(prepare(value, place), place) }
}

/** The same schema with a further condition; `check` returns what is wrong. */
export function refined<T>(schema: Schema<T>, check: (value: T) => string | undefined): Schema<T> {
  return {
    ...schema,
    read(value, place) {
      const result = schema.read(value, place)
      const complaint = result === undefined ? undefined : check(result)
      return complaint === undefined ? result : refuse(place, complaint)
    }
  }
}

/** A schema that is needed before it is complete: for trees. */
export function lazily<T>(about: string, schema: () => Schema<T>): Schema<T> {
  return { about, read: (value, place) => schema().read(value, place), encode: (value) => schema().encode(value) }
}
