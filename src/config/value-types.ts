import { err, isJsonObject, type JsonValue, ok, parseGoDuration, parseJson, type Result } from '../base/index.ts'

/** How the values of a key look in the file and as the text of a flag, a variable or `config set`. */
export interface ValueType<T> {
  /** For the reference page: `port`, `list of texts`. */
  readonly name: string
  /** Reads a JSON value; the refusal says what is right: `must be true or false`. */
  readonly read: (value: JsonValue) => Result<T, string>
  /** Turns a text into the JSON value that the file would hold, by the declared type and never by its look (D §3.4). */
  readonly fromText: (text: string) => Result<JsonValue, string>
}

/** An item of `general.providers`. */
export interface ProviderConfig {
  readonly name: string
  readonly type: string
  readonly config: { readonly [name: string]: JsonValue }
}

/** Any text. */
export const text: ValueType<string> = {
  name: 'text',
  read: (value) => (typeof value === 'string' ? ok(value) : err('must be a text in quotes')),
  fromText: ok
}

/** A path that must be given; `~` is the home directory. */
export const path: ValueType<string> = {
  name: 'path',
  read: (value) => (typeof value === 'string' && value !== '' ? ok(value) : err('must be a path in quotes')),
  fromText: ok
}

/** A path, or an empty text for none. */
export const optionalPath: ValueType<string> = { ...text, name: 'path, or empty for none' }

/** `true` or `false`; as text also the other spellings that Go reads. */
export const toggle: ValueType<boolean> = {
  name: 'true or false',
  read: (value) => (typeof value === 'boolean' ? ok(value) : err('must be true or false')),
  fromText(word) {
    if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(word)) return ok(true)
    if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(word)) return ok(false)
    return err('must be true or false')
  }
}

/** A whole number between `least` and `most`. */
export function wholeNumber(least: number, most: number): ValueType<number> {
  const rule = `must be a whole number from ${least} to ${most}`
  return {
    name: `whole number, ${least} to ${most}`,
    read: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? ok(value) : err(rule),
    fromText: (digits) => (/^[+-]?\d{1,15}$/.test(digits) ? ok(Number(digits)) : err(rule))
  }
}

/** A TCP or UDP port; 0 lets the system choose. */
export const port: ValueType<number> = { ...wholeNumber(0, 65_535), name: 'port, 0 to 65535' }

/** One of some words, in any case; read in the case given here. */
export function choice(words: readonly string[]): ValueType<string> {
  const rule = `must be one of ${words.join(', ')}`
  return {
    name: words.join(', '),
    read(value) {
      const word = typeof value === 'string' ? words.find((candidate) => candidate === value.toUpperCase()) : undefined
      return word === undefined ? err(rule) : ok(word)
    },
    fromText: ok
  }
}

/** A duration as Go writes it (`90s`, `2m`), or an empty text for the built-in value. */
export const duration: ValueType<string> = {
  name: 'duration such as 2m, or empty',
  read(value) {
    const isDuration = typeof value === 'string' && (value === '' || parseGoDuration(value).ok)
    return isDuration ? ok(value) : err('must be a duration such as 90s, 2m or 1h30m')
  },
  fromText: ok
}

/** An `http:` or `https:` address, or an empty text for none. */
export const url: ValueType<string> = {
  name: 'URL, or empty for none',
  read(value) {
    const isUrl = typeof value === 'string' && (value === '' || (/^https?:\/\//i.test(value) && URL.canParse(value)))
    return isUrl ? ok(value) : err('must be a URL that begins with http:// or https://')
  },
  fromText: ok
}

/** A contract address on an Ethereum-like chain, or an empty text for none. */
export const contractAddress: ValueType<string> = {
  name: 'address, 0x and 40 hexadecimal digits',
  read: (value) =>
    typeof value === 'string' && /^(0x[0-9a-fA-F]{40})?$/.test(value) ? ok(value) : err('must be 0x and 40 hexadecimal digits'),
  fromText: ok
}

/** A number in hexadecimal, as text. */
export const hexNumber: ValueType<string> = {
  name: 'hexadecimal number in quotes',
  read: (value) =>
    typeof value === 'string' && /^0x[0-9a-fA-F]{1,16}$/.test(value)
      ? ok(value)
      : err('must be 0x and hexadecimal digits, in quotes'),
  fromText: ok
}

/** Items of one list at most; nothing sensible comes near it. */
const MAX_ITEMS = 1000

/** A list of texts; as text a JSON list, or items between commas. `null` is the empty list, as Go writes it. */
export const textList: ValueType<readonly string[]> = {
  name: 'list of texts',
  read: (value) => readList(value, 'must be a list of texts', (item) => (typeof item === 'string' ? item : undefined)),
  fromText: (words) => (words.trimStart().startsWith('[') ? fromJson(words) : ok(splitList(words)))
}

/** The list of external providers; as text a JSON list. */
export const providerList: ValueType<readonly ProviderConfig[]> = {
  name: 'list of objects with name, type and config',
  read: (value) => readList(value, 'must be a list of objects with name, type and config', toProvider),
  fromText: fromJson
}

/** The items of a text between commas, without empty ones. */
export function splitList(words: string): readonly string[] {
  return words
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function readList<T>(value: JsonValue, rule: string, toItem: (item: JsonValue) => T | undefined): Result<readonly T[], string> {
  if (value === null) return ok([])
  if (!isList(value)) return err(rule)
  const items = value.map(toItem).filter((item) => item !== undefined)
  if (items.length > MAX_ITEMS) return err(`must have at most ${MAX_ITEMS} items`)
  return items.length === value.length ? ok(items) : err(rule)
}

/** `Array.isArray` does not narrow read-only lists. */
function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}

function toProvider(item: JsonValue): ProviderConfig | undefined {
  if (!isJsonObject(item)) return undefined
  const { name, type, config = {}, ...unknown } = item
  const isProvider =
    typeof name === 'string' && typeof type === 'string' && isJsonObject(config) && Object.keys(unknown).length === 0
  return isProvider ? { name, type, config } : undefined
}

function fromJson(source: string): Result<JsonValue, string> {
  const parsed = parseJson(source)
  return parsed.ok ? parsed : err(`must be JSON: ${parsed.error.message}`)
}
