import { encodeGoJson, type JsonValue, parseJson } from '../../base/index.ts'
import { findConfigFile, getConfigValue, setConfigValue, suggestConfigKey } from '../../config/index.ts'
import type { Action } from '../command.ts'
import { EditorFailedError, UnknownConfigKeyError, UsageError } from '../errors.ts'
import { note, printJson, printLine } from '../output.ts'
import { loadSettings, placesOf } from '../settings.ts'

/** `nunet config get [key]`: stdout has JSON; where it comes from is told on stderr (D §2.1). */
export const getValue: Action = async ({ args: [key], flags }, io) => {
  const { config, path, warnings } = await loadSettings(flags, io)
  const value = key === undefined ? config : getConfigValue(config, key)
  if (value === undefined) throw unknownKey(key ?? '')
  await note(io, path === undefined ? 'No config file found: these are the defaults' : `Found config file at: ${path}`)
  for (const warning of warnings) await note(io, `Warning: ${warning}`)
  await printJson(io, toJson(value), 4)
}

/** `nunet config set <key> <value>`: changes one value in the file and nothing else (D §3.4). */
export const setValue: Action = async ({ args: [key = '', text = ''], flags }, io) => {
  const { path } = await findConfigFile(placesOf(flags, io))
  const { created } = await setConfigValue({ path, key, text })
  await printLine(io, created ? 'Config file did not exist. Creating new file...' : 'Updating existing config file...')
  await printLine(io, 'Applied changes.')
}

/** `nunet config edit`: opens the file in `$EDITOR` and checks it afterwards. */
export const edit: Action = async ({ flags }, io) => {
  const editor = io.environment['EDITOR'] ?? ''
  const [program = '', ...args] = editor.split(' ').filter((word) => word !== '')
  if (program === '') throw new UsageError('$EDITOR not set')
  const { path } = await findConfigFile(placesOf(flags, io))
  await printLine(io, `Text editor: ${editor}`)
  await printLine(io, `Config path: ${path}`)
  const code = await io.runProgram(program, [...args, path])
  if (code !== 0) throw new EditorFailedError(`the editor ${program} ended with code ${code}`)
  await loadSettings(flags, io)
}

function unknownKey(key: string): UnknownConfigKeyError {
  const near = suggestConfigKey(key)
  return new UnknownConfigKeyError(`key "${key}" not found${near === undefined ? '' : `; did you mean "${near}"?`}`)
}

function toJson(value: unknown): JsonValue {
  const json = parseJson(encodeGoJson(value))
  return json.ok ? json.value : null
}
