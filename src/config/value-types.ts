import { err, isJsonObject, type JsonValue, ok, parseGoDuration, parseJson, type Result } from '../base/index.ts'

/** How the values of a key look in the file and as the text of a flag, a variable or `config set`. */
export interface ValueType<T> {
  /** For the reference page: `port`, `list of texts`. */
  readonly name: string
  /** Reads a JSON value; the refusal says what is right: `must be true or false`. */
  readonly read: (value: JsonValue) => Result<T, string>
  /** Turns a text into the JSON value that the file would hold, by the declared type and never by its look (D §3.4). */
  readonly fromText: (text: string) => Result<JsonValue, string>
  /** Texts that `config set` takes, for the reference and for tests; the first one is the most ordinary. */
  readonly examples: readonly string[]
  /** Texts that it refuses. */
  readonly counterexamples: readonly string[]
  /** All values there are, when they are few: a shell offers them. */
  readonly words?: readonly string[]
}

/** An item of `general.providers`. */
export interface ProviderConfig {
  readonly name: string
  readonly type: string
  readonly config: { readonly [name: string]: JsonValue }
}

/** Longest text of one value, in characters: a path, an address or a token fits. */
const MAX_TEXT = 4096

/** Any text of one line. */
export const text: ValueType<string> = {
  name: 'text',
  read: (value) => readLine(value),
  fromText: ok,
  examples: ['production', '12345', 'true', ''],
  counterexamples: ['two\nlines', 'x'.repeat(MAX_TEXT + 1)]
}

/** A path that must be given; `~` is the home directory. */
export const path: ValueType<string> = {
  name: 'path',
  read: (value) => (value === '' ? err('must be a path, and not empty') : readLine(value, 'must be a path in quotes')),
  fromText: ok,
  examples: ['/srv/nunet', '~/nunet', 'relative/directory'],
  counterexamples: ['', '/srv/\nnunet']
}

/** A path, or an empty text for none. */
export const optionalPath: ValueType<string> = {
  ...text,
  name: 'path, or empty for none',
  examples: ['/var/log/nunet.jsonl', '~/nunet.jsonl', ''],
  counterexamples: ['/var/\nlog']
}

/** The address on which something listens: an IP address or the name of a host, without port. */
export const host: ValueType<string> = matching({
  name: 'IP address or host name',
  pattern: /^[0-9A-Za-z.:_%-]{1,253}$|^$/,
  rule: 'must be an IP address or a host name, without a port or a slash',
  examples: ['127.0.0.1', '::1', '0.0.0.0', 'node.example'],
  counterexamples: ['http://127.0.0.1', '127.0.0.1 9999']
})

/** Where the REST interface listens: as {@link host}, or `unix:` and the absolute path of a socket, and then on no port at all. */
export const restAddress: ValueType<string> = matching({
  name: 'IP address, host name, or `unix:` and a path',
  pattern: /^(?!unix:)[0-9A-Za-z.:_%-]{1,253}$|^unix:\/[^\p{Cc}]{1,4095}$|^$/u,
  rule: 'must be an IP address or a host name, without a port or a slash, or unix:/path',
  examples: ['127.0.0.1', '::1', '0.0.0.0', 'node.example', 'unix:/run/nunet/dms.sock'],
  counterexamples: ['http://127.0.0.1', '127.0.0.1 9999', 'unix:dms.sock', 'unix:']
})

/** A Unix socket beside the port: an absolute path, `auto` for one in the data directory, or `none`. */
export const socketPath: ValueType<string> = matching({
  name: 'absolute path, `auto` or `none`',
  pattern: /^(auto|none|\/[^\p{Cc}]{1,4095})$/u,
  rule: 'must be auto, none or an absolute path',
  examples: ['auto', 'none', '/run/nunet/dms.sock'],
  counterexamples: ['dms.sock', '~/dms.sock', '', '/run/\nnunet']
})

/** Where a service is reached, or an empty text for none. */
export const endpoint: ValueType<string> = matching({
  name: '`host:port`, or empty for none',
  pattern: /^(https?:\/\/)?[0-9A-Za-z._-]{1,253}(:\d{1,5})?(\/[^\s]*)?$|^(https?:\/\/)?\[[0-9a-fA-F:]+\](:\d{1,5})?$|^$/,
  rule: 'must be host:port, like otel.example:4317',
  examples: ['otel.example:4317', '[::1]:4317', ''],
  counterexamples: ['otel example', 'otel.example:port']
})

/** `true` or `false`; as text also the other spellings that Go reads. */
export const toggle: ValueType<boolean> = {
  name: 'true or false',
  read: (value) => (typeof value === 'boolean' ? ok(value) : err('must be true or false')),
  fromText(word) {
    if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(word)) return ok(true)
    if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(word)) return ok(false)
    return err('must be true or false')
  },
  examples: ['true', 'false', '1', 'F'],
  counterexamples: ['yes', '2', ''],
  words: ['true', 'false']
}

/** A whole number between `least` and `most`. */
export function wholeNumber(least: number, most: number): ValueType<number> {
  const rule = `must be a whole number from ${least} to ${most}`
  return {
    name: `whole number, ${least} to ${most}`,
    read: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? ok(value) : err(rule),
    fromText: (digits) => (/^[+-]?\d{1,15}$/.test(digits) ? ok(Number(digits)) : err(rule)),
    examples: [String(Math.min(most, Math.max(least, 20_000))), String(least), String(most)],
    counterexamples: [String(least - 1), String(most + 1), '1.5', '0x10', 'many', '']
  }
}

/** A TCP or UDP port; 0 lets the system choose. */
export const port: ValueType<number> = { ...wholeNumber(0, 65_535), name: 'port, 0 to 65535' }

/** One of some words, in any case; read in the case given here. */
export function choice<const Word extends string>(words: readonly Word[]): ValueType<Word> {
  const rule = `must be one of ${words.join(', ')}`
  return {
    name: words.join(', '),
    read(value) {
      const word =
        typeof value === 'string' ? words.find((candidate) => candidate.toUpperCase() === value.toUpperCase()) : undefined
      return word === undefined ? err(rule) : ok(word)
    },
    fromText: ok,
    examples: [...words, ...words.map((word) => (word === word.toLowerCase() ? word.toUpperCase() : word.toLowerCase()))],
    counterexamples: [`${words[0] ?? ''}X`, ''],
    words
  }
}

/** A duration as Go writes it (`90s`, `2m`), or an empty text for the built-in value. */
export const duration: ValueType<string> = {
  name: 'duration such as 2m, or empty',
  read(value) {
    const isDuration = typeof value === 'string' && (value === '' || isLength(value))
    return isDuration ? ok(value) : err('must be a duration such as 90s, 2m or 1h30m')
  },
  fromText: ok,
  examples: ['2m', '90s', '1h30m', ''],
  counterexamples: ['soon', '5', '1d', '-2m']
}

/** An `http:` or `https:` address, or an empty text for none. */
export const url: ValueType<string> = {
  name: 'URL, or empty for none',
  read(value) {
    const isUrl = typeof value === 'string' && (value === '' || (/^https?:\/\/[^\s]+$/i.test(value) && URL.canParse(value)))
    return isUrl ? ok(value) : err('must be a URL that begins with http:// or https://')
  },
  fromText: ok,
  examples: ['https://service.example/v1', 'http://127.0.0.1:9200', ''],
  counterexamples: ['service.example', 'ftp://service.example', 'https://']
}

/** The name of a peer-to-peer network. */
export const networkName: ValueType<string> = matching({
  name: 'lower-case letters, digits and `-`',
  pattern: /^[a-z0-9][a-z0-9-]{0,39}$/,
  rule: 'must be 1 to 40 lower-case letters, digits or -, and not begin with -',
  examples: ['nunet', 'acme-lab', '7'],
  counterexamples: ['', 'Acme', '-acme', 'acme/lab', 'x'.repeat(41)]
})

/** A part of such a network's names on the wire, or an empty text for what follows from the network. */
export const wireName: ValueType<string> = matching({
  name: 'name, or empty for what follows from `p2p.network`',
  pattern: /^[A-Za-z0-9._-]{0,64}$/,
  rule: 'must be at most 64 letters, digits or . _ -',
  examples: ['nunet-test', ''],
  counterexamples: ['a b', '/nunet', 'x'.repeat(65)]
})

/** What stands before such names, or an empty text for what follows from the network. */
export const wirePrefix: ValueType<string> = matching({
  name: 'prefix, or empty for what follows from `p2p.network`',
  pattern: /^((?:\/[A-Za-z0-9._-]+)+)?$/,
  rule: 'must begin with / and not end with it, like /acme',
  examples: ['/acme', '/acme/lab', ''],
  counterexamples: ['acme', '/', '/acme/']
})

/** A contract address on an Ethereum-like chain, or an empty text for none. */
export const contractAddress: ValueType<string> = matching({
  name: 'address, 0x and 40 hexadecimal digits',
  pattern: /^(0x[0-9a-fA-F]{40})?$/,
  rule: 'must be 0x and 40 hexadecimal digits',
  examples: ['0xF0d33BeDa4d734C72684b5f9abBEbf715D0a7935', ''],
  counterexamples: ['0x12', 'F0d33BeDa4d734C72684b5f9abBEbf715D0a7935']
})

/** A number in hexadecimal, as text. */
export const hexNumber: ValueType<string> = matching({
  name: 'hexadecimal number in quotes',
  pattern: /^0x[0-9a-fA-F]{1,16}$/,
  rule: 'must be 0x and hexadecimal digits, in quotes',
  examples: ['0x8D7374', '0x0'],
  counterexamples: ['12', '0x', '']
})

/** Items of one list at most; nothing sensible comes near it. */
const MAX_ITEMS = 1000

/** A list of multiaddresses; as text a JSON list, or items between commas. `null` is the empty list, as Go writes it. */
export const addressList: ValueType<readonly string[]> = {
  name: 'list of multiaddresses',
  read: (value) =>
    readList(value, 'must be a list of texts, each a multiaddress such as /ip4/0.0.0.0/tcp/9000', (item) =>
      typeof item === 'string' && /^\/[^\s\p{Cc}]{1,1023}$/u.test(item) ? item : undefined
    ),
  fromText: (words) => (words.trimStart().startsWith('[') ? fromJson(words) : ok(splitList(words))),
  examples: [
    '/ip4/0.0.0.0/tcp/9100',
    '["/ip4/0.0.0.0/tcp/9100","/ip6/::/tcp/9100"]',
    '/ip4/1.2.3.4/tcp/1,/ip4/1.2.3.4/tcp/2',
    '[]'
  ],
  counterexamples: ['0.0.0.0:9100', '[1]', '["/ip4/0.0.0.0/tcp/9100"']
}

/** A list of plugins: npm names, or absolute paths of directories. */
export const pluginList: ValueType<readonly string[]> = wordList({
  name: 'list of npm names or absolute paths',
  pattern: /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$|^\/[^\p{Cc}]{1,1023}$/u,
  rule: 'must be a list of texts, each the npm name of a package or an absolute path',
  examples: ['@acme/nunet-executor', '["@acme/nunet-executor","/opt/plugins/echo"]', '[]'],
  counterexamples: ['../plugin', '[1]', '@acme', 'Upper']
})

/** A list of DIDs. */
export const didList: ValueType<readonly string[]> = wordList({
  name: 'list of DIDs',
  pattern: /^did:[a-z0-9]{1,32}:[A-Za-z0-9._:%-]{1,512}$/,
  rule: 'must be a list of texts, each a DID such as did:key:z6Mk…',
  examples: ['did:key:z6MkExample', '["did:key:z6MkOne","did:key:z6MkTwo"]', '[]'],
  counterexamples: ['z6MkExample', '[1]', 'did:key:']
})

/** A list of names of executors. */
export const executorList: ValueType<readonly string[]> = wordList({
  name: 'list of names of executors',
  pattern: /^[a-z][a-z0-9_-]{0,31}$/,
  rule: 'must be a list of texts, each of lower-case letters, digits, - and _',
  examples: ['echo', '["echo","gvisor"]', '[]'],
  counterexamples: ['Echo', '[1]', '-x']
})

/** A list of services, each `host` or `host:port`. */
export const hostList: ValueType<readonly string[]> = wordList({
  name: 'list of hosts',
  pattern: /^(?:[a-zA-Z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?$/,
  rule: 'must be a list of texts, each a host such as storage.lan:9000',
  examples: ['storage.lan:9000', '["storage.lan:9000","10.0.0.5"]', '[]'],
  counterexamples: ['https://storage.lan', '[1]', 'storage.lan/path']
})

/** A list of registries of images, each `host` or `host:port`; as text a JSON list, or items between commas. */
export const registryList: ValueType<readonly string[]> = {
  name: 'list of registries',
  read: (value) =>
    readList(value, 'must be a list of texts, each a registry such as registry.lan:5000', (item) =>
      typeof item === 'string' && /^(?:[a-zA-Z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?$/.test(item) ? item : undefined
    ),
  fromText: (words) => (/^\s*\[(?:"|\s*\])/.test(words) ? fromJson(words) : ok(splitList(words))),
  examples: ['registry.lan:5000', '["registry.lan:5000","10.0.0.5"]', 'localhost:5000,[::1]:5000', '[]'],
  counterexamples: ['https://registry.lan', '["https://registry.lan"]', '["registry.lan/path"]']
}

/** The list of external providers; as text a JSON list. */
export const providerList: ValueType<readonly ProviderConfig[]> = {
  name: 'list of objects with name, type and config',
  read: (value) => readList(value, 'must be a list of objects with name, type and config', toProvider),
  fromText: fromJson,
  examples: ['[{"name":"lab","type":"local-incus","config":{"image":"debian"}}]', '[]', 'null'],
  counterexamples: ['lab', '[{"name":"lab"}]', '[{"name":"lab","type":"local-incus","colour":"red"}]', '{}']
}

/** The items of a text between commas, without empty ones. */
export function splitList(words: string): readonly string[] {
  return words
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

interface Matching extends Pick<ValueType<string>, 'name' | 'examples' | 'counterexamples'> {
  readonly pattern: RegExp
  readonly rule: string
}

function matching({ pattern, rule, ...rest }: Matching): ValueType<string> {
  return {
    ...rest,
    read: (value) => (typeof value === 'string' && pattern.test(value) ? ok(value) : err(rule)),
    fromText: ok
  }
}

/** A list of words; as text a JSON list, or items between commas. `null` is the empty list. */
function wordList({ pattern, rule, ...rest }: Matching): ValueType<readonly string[]> {
  return {
    ...rest,
    read: (value) => readList(value, rule, (item) => (typeof item === 'string' && pattern.test(item) ? item : undefined)),
    fromText: (words) => (words.trimStart().startsWith('[') ? fromJson(words) : ok(splitList(words)))
  }
}

/** Control characters would forge lines wherever the value is shown, and no value needs them. */
function readLine(value: JsonValue, rule = 'must be a text in quotes'): Result<string, string> {
  if (typeof value !== 'string') return err(rule)
  if (value.length > MAX_TEXT) return err(`must have at most ${MAX_TEXT} characters`)
  return /\p{Cc}/u.test(value) ? err('must be one line, without control characters') : ok(value)
}

function isLength(value: string): boolean {
  const nanos = parseGoDuration(value)
  return nanos.ok && nanos.value >= 0n
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
