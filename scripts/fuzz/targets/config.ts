import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { DmsError, isJsonObject, type JsonValue, parseJson } from '../../../src/base/index.ts'
import { parseConfigText } from '../../../src/config/config-file.ts'
import { ConfigError, getConfigValue, type LoadedConfig, loadConfig, setConfigValue } from '../../../src/config/index.ts'
import { KEYS, variableOf } from '../../../src/config/keys.ts'
import { DEPRECATED_KEYS } from '../../../src/config/schema.ts'
import type { Chance } from '../chance.ts'
import { mutateJson } from '../mutate-json.ts'
import { mutateText } from '../mutate-text.ts'
import { ACCEPTED, type FuzzTarget, must, type Outcome, rejected } from '../target.ts'

/** What is fuzzed; a test puts a broken one in its place. */
export interface ConfigSubject {
  readonly loadConfig: typeof loadConfig
  readonly setConfigValue: typeof setConfigValue
}

/**
 * Configuration: files, keys and values are taken as the schema says or refused with a ConfigError, a refusal leaves the file alone,
 * a change leaves everything else alone and a file that can be loaded, and no prototype is ever changed.
 *
 * An input is the file alone, or a line `set <key> <value>` before it, or `env <variable> <value>`, both as JSON.
 */
export function createConfigTarget(subject: ConfigSubject = { loadConfig, setConfigValue }): FuzzTarget {
  return {
    name: 'config',
    about: 'configuration files and changes: by the schema or refused, nothing lost, no prototype changed',
    async open() {
      const directory = await mkdtemp(join(tmpdir(), 'fuzz-config-'))
      return {
        make: makeInput,
        check: (input) => checkInput(input, directory, subject),
        dispose: () => rm(directory, { recursive: true })
      }
    }
  }
}

const NAMES = [...KEYS.map(({ name }) => name), ...Object.keys(DEPRECATED_KEYS)]

const ODD_NAMES: readonly string[] = [
  '__proto__',
  '__proto__.polluted',
  'constructor.prototype.polluted',
  'general.__proto__.x',
  'general',
  'rest.port.x',
  '',
  '.',
  'rest..port',
  'REST.Port',
  'toString',
  'general.constructor'
]

const VALUES: readonly string[] = [
  '',
  'true',
  'false',
  '0',
  '1',
  '-1',
  '9999',
  '65535',
  '65536',
  '70000',
  '1e3',
  '0x10',
  ' 5',
  '999999999999999999',
  'DEBUG',
  'info',
  '~',
  '~/x',
  '/tmp',
  'DE',
  '90s',
  '2m',
  '-5s',
  'https://x.test',
  'ftp://x',
  'a,b',
  '["a","b"]',
  '[1]',
  '[null]',
  '[',
  '{}',
  '[{"name":"a","type":"b","config":{"__proto__":{"polluted":1}}}]',
  '[{"name":"a","type":"b","config":{"n":18446744073709551616}}]',
  'null',
  '\u0000',
  '\ud800',
  '0x8D7374',
  '0xB37216b70a745129966E553cF8Ee2C51e1cB359A'
]

const FILES: readonly string[] = [
  '',
  '{}',
  '{"rest":{"port":9999,"addr":"127.0.0.1"}}',
  '{"general":{"debug":true,"host_country":"DE","port_available_range_from":20000,"port_available_range_to":30000},"p2p":{"listen_address":["/ip4/0.0.0.0/tcp/9000"],"bootstrap_peers":[]}}',
  '{\n  "observability": {"log_level": "DEBUG", "max_size": 5, "logging": {"rotation": {"max_backups": 2}}},\n  "job": {"allow_privileged_docker": false}\n}\n',
  '{"general":{"providers":[{"name":"a","type":"b","config":{"x":[1,2,{"y":null}]}}],"payment_provider":{"mode":false,"starting_block_scanning":"0x8D7374"}},"coinmarketcap":{"cache_ttl":"2m"},"apm":{"api_key":"secret"}}'
]

function makeInput(chance: Chance): string {
  const base = chance.pick(FILES)
  const choice = chance.int(8)
  const file = choice < 3 ? base : choice < 5 ? mutateText(base, chance, FILES) : mutateJson(base, chance, FILES)
  if (chance.oneIn(2)) return file
  const name = chance.oneIn(4) ? chance.pick(ODD_NAMES) : chance.pick(NAMES)
  const key = chance.oneIn(4) ? mutateText(name, chance, NAMES) : name
  const given = chance.pick(VALUES)
  const value = chance.oneIn(3) ? mutateText(given, chance, VALUES) : given
  if (chance.oneIn(4)) return `env ${JSON.stringify(variableOf(key))} ${JSON.stringify(value)}\n${file}`
  return `set ${JSON.stringify(key)} ${JSON.stringify(value)}\n${file}`
}

async function checkInput(input: string, directory: string, subject: ConfigSubject): Promise<Outcome> {
  const change = readChange(input)
  const path = join(directory, 'dms_config.json')
  await writeFile(path, change?.file ?? input)
  const prototypes = describePrototypes()
  try {
    const environment = change?.verb === 'env' ? { [change.key]: change.value } : {}
    const loaded = await load(path, subject, environment)
    if (change?.verb !== 'set') return loaded instanceof Error ? rejected(loaded.message) : ACCEPTED
    return await checkChange({ path, directory, subject, loaded, ...change })
  } finally {
    must(describePrototypes() === prototypes && Object.keys(Object.prototype).length === 0, 'no prototype is changed')
  }
}

interface Change {
  readonly verb: 'set' | 'env'
  /** The key, or the name of the variable. */
  readonly key: string
  readonly value: string
  readonly file: string
}

function readChange(input: string): Change | undefined {
  const [, verb, key = '', value = '', file = ''] = /^(set|env) ("(?:[^"\\]|\\.)*") ("(?:[^"\\]|\\.)*")\n(.*)$/s.exec(input) ?? []
  const [keyText, valueText] = [parseJson(key), parseJson(value)]
  if (!keyText.ok || !valueText.ok || typeof keyText.value !== 'string' || typeof valueText.value !== 'string') return undefined
  return { verb: verb === 'env' ? 'env' : 'set', key: keyText.value, value: valueText.value, file }
}

function describePrototypes(): string {
  return [Object.prototype, Array.prototype, Function.prototype]
    .flatMap((prototype) => Object.getOwnPropertyNames(prototype))
    .join()
}

async function load(
  path: string,
  { loadConfig: read }: ConfigSubject,
  environment: Readonly<Record<string, string>> = {}
): Promise<LoadedConfig | Error> {
  try {
    const loaded = await read({ environment, cwd: '/', home: homedir(), configPath: path })
    checkValues(loaded)
    return loaded
  } catch (error) {
    if (!(error instanceof DmsError)) throw error
    must(error.message.length < 20_000, 'a message about a configuration is of a length that can be read')
    return error
  }
}

/** Every value is one that its own type reads, and of the JSON type of the default. */
function checkValues({ config }: LoadedConfig): void {
  for (const { name, key } of KEYS) {
    const value = getConfigValue(config, name)
    must(
      typeof value === typeof key.default && Array.isArray(value) === Array.isArray(key.default),
      `${name} has the type of its default`
    )
    must(typeof value !== 'number' || Number.isSafeInteger(value), `${name} is a whole number`)
    must(key.type.read(value as JsonValue).ok, `${name} is of its declared type`)
  }
  const { port_available_range_from: from, port_available_range_to: to } = config.general
  must(from < to, 'the range of ports is not empty')
}

interface ChangeCheck extends Omit<Change, 'verb'> {
  readonly path: string
  readonly directory: string
  readonly subject: ConfigSubject
  readonly loaded: LoadedConfig | Error
}

async function checkChange({ path, directory, subject, loaded, key, value, file }: ChangeCheck): Promise<Outcome> {
  const changed = await set({ path, key, value }, subject)
  const after = await readFile(path, 'utf8')
  must((await readdir(directory)).filter((name) => name.includes('tmp')).length === 0, 'a change leaves no temporary file')
  if (changed instanceof Error) {
    must(Buffer.from(after).equals(Buffer.from(file)), 'a refused change leaves the file alone')
    return rejected(`set: ${changed.message}`)
  }
  const onDisk = Buffer.from(file).toString() // has no lone surrogates
  const [before, members] = [parseConfigText(path, onDisk), parseConfigText(path, after)]
  const moved = Object.entries(DEPRECATED_KEYS).filter(([name]) => valueAt(before, name) !== undefined)
  const rest = (value: JsonValue): JsonValue =>
    [changed.key, ...moved.flat()].reduce((left, name) => without(left, name.split('.')), value)
  must(textOf(rest(members)) === textOf(rest(before)), 'a change leaves all other members alone')
  for (const [name, successor] of moved) {
    must(valueAt(members, name) === undefined, 'a change leaves no deprecated key')
    if (successor === changed.key || valueAt(before, successor) !== undefined) continue
    must(
      textOf(valueAt(members, successor) ?? null) === textOf(valueAt(before, name) ?? null),
      'a deprecated key keeps its value'
    )
  }
  if (!(loaded instanceof Error)) {
    const again = await load(path, subject)
    must(!(again instanceof Error), 'a file that could be loaded can be loaded after a change')
  }
  return ACCEPTED
}

async function set(
  { path, key, value }: Pick<ChangeCheck, 'path' | 'key' | 'value'>,
  { setConfigValue: write }: ConfigSubject
): Promise<{ readonly key: string } | Error> {
  try {
    return await write({ path, key, text: value })
  } catch (error) {
    if (!(error instanceof DmsError)) throw error
    must(
      error instanceof ConfigError || error.code.startsWith('DB_'),
      `a change is refused with an error of config or db, not ${error.code}`
    )
    return error
  }
}

/** As JavaScript writes it: `-0` is 0, which is the same number. Files with integers over 2^53 are not changed. */
function textOf(value: JsonValue): string {
  return JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? String(member) : member))
}

function valueAt(members: JsonValue, name: string): JsonValue | undefined {
  return name
    .split('.')
    .reduce<JsonValue | undefined>(
      (value, member) => (isJsonObject(value) && Object.hasOwn(value, member) ? value[member] : undefined),
      members
    )
}

/** The members in alphabetical order without the one at a path, and without the objects that it alone was in. */
function without(value: JsonValue, [first, ...rest]: readonly string[]): JsonValue {
  if (!isJsonObject(value)) return value
  const entries = Object.entries(value).flatMap(([name, member]): [string, JsonValue][] => {
    if (name !== first) return [[name, member]]
    const remaining = rest.length === 0 ? {} : without(member, rest)
    return isJsonObject(remaining) && Object.keys(remaining).length === 0 ? [] : [[name, remaining]]
  })
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
