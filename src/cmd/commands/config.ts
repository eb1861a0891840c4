import { encodeGoJson, type JsonValue, parseJson } from '../../base/index.ts'
import {
  configKeys,
  findConfigFile,
  getConfigValue,
  type LoadedConfig,
  MASK,
  maskSecrets,
  setConfigValue,
  suggestConfigKey,
  unsetConfigValue
} from '../../config/index.ts'
import type { Action, Flags } from '../command.ts'
import { UnknownConfigKeyError } from '../errors.ts'
import type { Io } from '../io.ts'
import { tellMigration } from '../migration.ts'
import { note, printJson, printLine } from '../output.ts'
import { flagOfKey, loadSettings, placesOf } from '../settings.ts'

/**
 * `nunet config get [key]`: stdout has JSON; where it comes from is told on stderr (D §2.1).
 *
 * Writes nothing, unlike the reference, which creates the file when there is none.
 */
export const getValue: Action = async ({ args: [key], flags }, io) => {
  const settings = await loadSettings(flags, io)
  const value = key === undefined ? settings.config : getConfigValue(settings.config, key)
  if (value === undefined) throw unknownKey(key ?? '')
  if (!flags.isOn('quiet') && !flags.isOn('json')) await tellOrigin(settings, io)
  if (flags.isOn('sources')) return await printSources(settings, key ?? '', flags, io)
  const shown = flags.isOn('reveal') ? settings.config : maskSecrets(settings.config)
  await printJson(io, toJson(key === undefined ? shown : getConfigValue(shown, key)), 4)
}

/** `nunet config set <key> <value>`: changes one value in the file and nothing else (D §3.4). */
export const setValue: Action = async ({ args: [key = '', given = ''], flags }, io) => {
  const { path } = await findConfigFile(placesOf(flags, io))
  const text = given === '-' ? (await io.readInput()).replace(/\r?\n$/, '') : given
  const change = await setConfigValue({ path, key, text, clock: io.clock })
  if (change.migration !== undefined) await tellMigration(change.migration, path, io)
  for (const problem of change.problems) await note(io, `Warning: ${problem}`)
  await warnOfOverride(change.key, io)
  if (flags.isOn('json')) {
    const value = isSecret(change.key) ? MASK : change.value
    return await printJson(io, { path, key: change.key, value, created: change.created }, 4)
  }
  if (flags.isOn('quiet')) return
  await printLine(io, change.created ? 'Config file did not exist. Creating new file...' : 'Updating existing config file...')
  if (change.created) await printLine(io, `Config path: ${path}`)
  await printLine(io, 'Applied changes.')
}

/** `nunet config unset <key>`: the default counts again. */
export const unsetValue: Action = async ({ args: [key = ''], flags }, io) => {
  const { path } = await findConfigFile(placesOf(flags, io))
  const removal = await unsetConfigValue({ path, key, clock: io.clock })
  if (removal.migration !== undefined) await tellMigration(removal.migration, path, io)
  if (flags.isOn('json')) return await printJson(io, { path, key: removal.key, removed: removal.removed }, 4)
  if (flags.isOn('quiet')) return
  await printLine(io, removal.removed ? 'Applied changes.' : `Nothing to do: ${removal.key} is not set in ${path}`)
}

async function tellOrigin({ path, warnings }: LoadedConfig, io: Io): Promise<void> {
  await note(io, path === undefined ? 'No config file found: these are the defaults' : `Found config file at: ${path}`)
  for (const warning of warnings) await note(io, `Warning: ${warning}`)
}

/** A file cannot win against a variable, which surprises whoever has just written it. */
async function warnOfOverride(key: string, { environment, ...io }: Io): Promise<void> {
  const variables = [variableOf(key), ...(key === 'p2p.bootstrap_peers' ? ['BOOTSTRAP_PEERS'] : [])]
  const set = variables.find((variable) => (environment[variable] ?? '') !== '')
  if (set !== undefined) await note({ environment, ...io }, `Warning: ${set} is set in the environment and counts instead`)
}

/** A line per key: value, and the flag, variable or file that it comes from. */
async function printSources(settings: LoadedConfig, within: string, flags: Flags, io: Io): Promise<void> {
  const shown = flags.isOn('reveal') ? settings.config : maskSecrets(settings.config)
  const rows = keysWithin(within).map((name) => ({
    name,
    value: toJson(getConfigValue(shown, name)),
    source: settings.sources[name] ?? 'default',
    origin: originOf(name, settings)
  }))
  if (flags.isOn('json')) {
    return await printJson(io, Object.fromEntries(rows.map(({ name, ...row }) => [name, row])), 4)
  }
  const width = Math.max(...rows.map(({ name }) => name.length))
  for (const { name, value, source, origin } of rows) {
    const from = origin === '' ? source : `${source} ${origin}`
    await printLine(io, `${name.padEnd(width)}  ${encodeGoJson(value)}  (${from})`)
  }
}

function originOf(name: string, { sources, origins }: LoadedConfig): string {
  return sources[name] === 'flag' ? (flagOfKey(name) ?? '') : (origins[name] ?? '')
}

/** The keys of a section, or the one key; by their names of today. */
function keysWithin(key: string): readonly string[] {
  const name = key.toLowerCase()
  const keys = configKeys()
  const current = keys.find((candidate) => candidate.name === name)?.successor ?? name
  return keys
    .filter(({ successor }) => successor === undefined)
    .map((candidate) => candidate.name)
    .filter((candidate) => current === '' || candidate === current || candidate.startsWith(`${current}.`))
}

function isSecret(name: string): boolean {
  return configKeys().some((key) => key.name === name && key.isSecret)
}

function variableOf(name: string): string {
  return configKeys().find((key) => key.name === name)?.variable ?? ''
}

function unknownKey(key: string): UnknownConfigKeyError {
  const near = suggestConfigKey(key)
  return new UnknownConfigKeyError(`key "${key}" not found${near === undefined ? '' : `; did you mean "${near}"?`}`)
}

function toJson(value: unknown): JsonValue {
  const json = parseJson(encodeGoJson(value))
  return json.ok ? json.value : null
}
