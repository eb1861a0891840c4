import { isJsonObject, type JsonValue, type Result } from '../base/index.ts'
import { type ConfigPlaces, type JsonObject, readConfigFile, resolvePath } from './config-file.ts'
import { ConfigError } from './errors.ts'
import {
  currentName,
  describeContradiction,
  describeRefused,
  findKey,
  isKey,
  KEYS,
  type NamedKey,
  suggestKey,
  variableOf
} from './keys.ts'
import { CONFIG_SCHEMA, type Config, DEPRECATED_KEYS, type Key, type Section } from './schema.ts'
import { optionalPath, path as pathType, splitList } from './value-types.ts'

/** The value of a flag: a text is converted by the declared type of its key. */
export type FlagValue = string | number | boolean | readonly string[]

/** What {@link loadConfig} reads from. */
export interface ConfigInput extends ConfigPlaces {
  /** Values of command line flags by dotted key; members that are `undefined` were not given. */
  readonly flags?: Readonly<Record<string, FlagValue | undefined>>
}

/** Where a value came from. */
export type ConfigSource = 'flag' | 'environment' | 'file' | 'default'

/** The effective configuration. */
export interface LoadedConfig {
  readonly config: Config
  /** The file that was read, if any. */
  readonly path?: string
  /** Lines for the operator: deprecated keys. */
  readonly warnings: readonly string[]
  /** By dotted key. */
  readonly sources: Readonly<Record<string, ConfigSource>>
  /** By dotted key: the path of the file, or the name of the variable; keys with their default value are missing. */
  readonly origins: Readonly<Record<string, string>>
}

/** One value before it is checked, and how to name its origin in a message. */
interface Candidate {
  readonly source: ConfigSource
  readonly origin: string
  /** The path of the file or the name of the variable alone. */
  readonly place: string
  readonly value: Result<JsonValue, string>
  /** What was given, when it does not convert to a JSON value. */
  readonly given: JsonValue
}

type Candidates = Readonly<Record<string, Candidate>>

/** More problems of one file are not listed. */
const MAX_PROBLEMS = 10

/**
 * Finds, reads and checks the configuration: flag before environment before file before default (D §3.1).
 *
 * @throws ConfigError (`CONFIG_INVALID`) for a broken file, an unknown key or a wrong value; names all of them.
 * @throws ConfigNotFoundError when `--config` names a file that is not there.
 * @throws FileForbiddenError, FileRefusedError of `db` when a file that is there cannot be read.
 */
export async function loadConfig(input: ConfigInput): Promise<LoadedConfig> {
  const file = await readConfigFile(input)
  const problems: string[] = []
  const warnings: string[] = []
  const fromFile = file === undefined ? {} : fileCandidates(file.path, file.members, { problems, warnings })
  const candidates = { ...fromFile, ...environmentCandidates(input.environment), ...flagCandidates(input.flags ?? {}, problems) }
  const values = readValues(candidates, input, problems)
  const contradiction = describeContradiction(values)
  if (contradiction !== undefined) problems.push(contradiction)
  if (problems.length > 0) throw problemsError(problems, file?.path)
  return {
    config: toConfig(values),
    ...(file === undefined ? {} : { path: file.path }),
    warnings,
    sources: Object.fromEntries(KEYS.map(({ name }) => [name, candidates[name]?.source ?? 'default'])),
    origins: Object.fromEntries(Object.entries(candidates).map(([name, candidate]) => [name, candidate.place]))
  }
}

/** What is wrong with the members of a file, whatever flags and variables say; each with the path and what would be right. */
export function problemsOf(path: string, members: JsonObject): readonly string[] {
  const problems: string[] = []
  const candidates = fileCandidates(path, members, { problems, warnings: [] })
  const contradiction = describeContradiction(readValues(candidates, { cwd: '/', home: '/' }, problems))
  return contradiction === undefined ? problems : [...problems, contradiction]
}

/** One error for all problems of a configuration; many are cut short. */
export function problemsError(problems: readonly string[], path: string | undefined): ConfigError {
  const more = problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : ''
  const details = { problems: problems.length, ...(path === undefined ? {} : { path }) }
  return new ConfigError(`invalid configuration: ${problems.slice(0, MAX_PROBLEMS).join('; ')}${more}`, { details })
}

interface Notes {
  readonly problems: string[]
  readonly warnings: string[]
}

function fileCandidates(path: string, members: JsonObject, { problems, warnings }: Notes): Candidates {
  const found = collect(members, CONFIG_SCHEMA, '', path, problems)
  const current = Object.fromEntries(found.filter(({ name }) => !Object.hasOwn(DEPRECATED_KEYS, name)).map(toFileCandidate(path)))
  const deprecated = found.filter(({ name }) => Object.hasOwn(DEPRECATED_KEYS, name))
  for (const { name } of deprecated) {
    const successor = currentName(name)
    const advice = Object.hasOwn(current, successor) ? `${successor} is used instead, remove it` : `write ${successor} instead`
    warnings.push(`${path}: ${name} is deprecated: ${advice}`)
  }
  return { ...Object.fromEntries(deprecated.map(toFileCandidate(path))), ...current }
}

interface FoundValue {
  readonly name: string
  readonly value: JsonValue
}

function toFileCandidate(path: string): (found: FoundValue) => readonly [name: string, candidate: Candidate] {
  return ({ name, value }) => [
    currentName(name),
    { source: 'file', origin: `${path}: ${name}`, place: path, value: { ok: true, value }, given: value }
  ]
}

/** Walks the file along the schema; what the schema does not know is a problem. */
function collect(members: JsonObject, section: Section, prefix: string, path: string, problems: string[]): readonly FoundValue[] {
  return Object.entries(members).flatMap(([member, value]) => {
    const name = prefix + member
    const node = Object.hasOwn(section, member) ? section[member] : undefined
    if (isKey(node) || Object.hasOwn(DEPRECATED_KEYS, name)) return [{ name, value }]
    if (node === undefined) problems.push(`${path}: ${unknownKey(name)}`)
    else if (isJsonObject(value)) return collect(value, node, `${name}.`, path, problems)
    else if (value !== null) problems.push(`${path}: ${name} must be an object, { … }`)
    return []
  })
}

function unknownKey(name: string): string {
  const suggestion = suggestKey(name)
  return `unknown key ${JSON.stringify(name.slice(0, 200))}${suggestion === undefined ? '' : `; did you mean ${JSON.stringify(suggestion)}?`}`
}

/** An empty variable counts as not set, as in the reference. */
function environmentCandidates(environment: ConfigPlaces['environment']): Candidates {
  const names = [...Object.keys(DEPRECATED_KEYS), ...KEYS.map(({ name }) => name)]
  const found = names.flatMap((name) => {
    const given = environment[variableOf(name)]
    return given === undefined || given === ''
      ? []
      : [[currentName(name), toCandidate('environment', variableOf(name), name, given)] as const]
  })
  const bootstrap = environment['BOOTSTRAP_PEERS'] ?? ''
  const peers = splitList(bootstrap)
  return {
    ...Object.fromEntries(found),
    ...(peers.length === 0
      ? {}
      : { 'p2p.bootstrap_peers': toCandidate('environment', 'BOOTSTRAP_PEERS', 'p2p.bootstrap_peers', peers) })
  }
}

function flagCandidates(flags: NonNullable<ConfigInput['flags']>, problems: string[]): Candidates {
  const found = Object.entries(flags).flatMap(([name, given]) => {
    if (given === undefined) return []
    if (findKey(name) !== undefined) return [[currentName(name), toCandidate('flag', `flag for ${name}`, name, given)] as const]
    problems.push(`flag: ${unknownKey(name)}`)
    return []
  })
  return Object.fromEntries(found)
}

function toCandidate(source: ConfigSource, origin: string, name: string, given: FlagValue): Candidate {
  const found = typeof given === 'string' ? findKey(name)?.key.type.fromText(given) : undefined
  return { source, origin, place: origin, value: found ?? { ok: true, value: given }, given }
}

type Values = Readonly<Record<string, unknown>>

function readValues(candidates: Candidates, places: Pick<ConfigPlaces, 'cwd' | 'home'>, problems: string[]): Values {
  return Object.fromEntries(
    KEYS.map((named) => {
      const value = readValue(named, candidates[named.name], problems)
      return [named.name, isPath(named.key) && typeof value === 'string' && value !== '' ? resolvePath(value, places) : value]
    })
  )
}

/** The default stands in for a refused value, so that the other problems are found too. */
function readValue({ key }: NamedKey, candidate: Candidate | undefined, problems: string[]): unknown {
  if (candidate === undefined) return key.default
  const read = candidate.value.ok ? key.type.read(candidate.value.value) : candidate.value
  if (read.ok) return read.value
  problems.push(`${candidate.origin} ${read.error}${describeRefused(key, candidate.given)}`)
  return key.default
}

function isPath({ type }: Key<unknown>): boolean {
  return type === pathType || type === optionalPath
}

/** The one place where checked values get the type of the schema that checked them. */
function toConfig(values: Values): Config {
  return nest(CONFIG_SCHEMA, '', values) as Config
}

function nest(section: Section, prefix: string, values: Values): unknown {
  return Object.fromEntries(
    Object.entries(section).map(([name, node]) => [
      name,
      isKey(node) ? values[prefix + name] : nest(node, `${prefix}${name}.`, values)
    ])
  )
}
