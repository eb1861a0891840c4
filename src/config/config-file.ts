import { isAbsolute, join, resolve } from 'node:path'
import { isJsonObject, type JsonValue, parseJson } from '../base/index.ts'
import { readPrivateFile } from '../db/index.ts'
import { ConfigError, ConfigNotFoundError } from './errors.ts'

/** The members of a JSON object. */
export type JsonObject = { readonly [name: string]: JsonValue }

/** Where the configuration file is looked for. */
export interface ConfigPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The working directory; relative paths begin here. */
  readonly cwd: string
  /** The home directory; `~` is this. */
  readonly home: string
  /** The value of `--config`: that file only. */
  readonly configPath?: string
}

const FILE_NAME = 'dms_config.json'

/** The places of the file in the order of the search (D §3.1). */
export function configCandidates({ environment, cwd, home, configPath }: ConfigPlaces): readonly string[] {
  if (configPath !== undefined) return [resolvePath(configPath, { cwd, home })]
  const user = environment['XDG_CONFIG_HOME']
  const userConfig = user !== undefined && isAbsolute(user) ? user : join(home, '.config') // the XDG rule: relative ones are ignored
  return [cwd, join(home, '.nunet'), join(userConfig, 'nunet'), '/etc/nunet'].map((directory) => join(directory, FILE_NAME))
}

/**
 * The file that commands read or change: the one that exists, else the one that a first write creates.
 *
 * That is the one of `--config`, else `~/.nunet/dms_config.json`: unlike the reference, which writes into whatever the
 * working directory is, so that the daemon started elsewhere never sees it (D §12, 5).
 */
export async function findConfigFile(places: ConfigPlaces): Promise<{ readonly path: string; readonly exists: boolean }> {
  const candidates = configCandidates(places)
  const found = await readFirst(candidates)
  const [first = ''] = places.configPath === undefined ? [join(places.home, '.nunet', FILE_NAME)] : candidates
  return { path: found?.path ?? first, exists: found !== undefined }
}

/**
 * Reads the file that {@link findConfigFile} finds.
 *
 * @throws ConfigNotFoundError when `--config` names a file that is not there.
 * @throws ConfigError when it is not a JSON object; the message has line and column.
 */
export async function readConfigFile(
  places: ConfigPlaces
): Promise<{ readonly path: string; readonly members: JsonObject } | undefined> {
  const found = await readFirst(configCandidates(places))
  if (found !== undefined) return { path: found.path, members: parseConfigText(found.path, found.text) }
  if (places.configPath === undefined) return undefined
  const [path = places.configPath] = configCandidates(places)
  throw new ConfigNotFoundError(`the configuration file ${path} does not exist`, { details: { path } })
}

/** The members of the file's JSON object; an empty file has none. */
export function parseConfigText(path: string, source: string): JsonObject {
  if (source.trim() === '') return {}
  const parsed = parseJson(source)
  if (!parsed.ok) throw new ConfigError(`${path}: ${withPosition(parsed.error.message, source)}`, { details: { path } })
  if (!isJsonObject(parsed.value)) throw new ConfigError(`${path}: must be a JSON object, { … }`, { details: { path } })
  return parsed.value
}

/** An absolute path from one that may begin with `~` or be relative. */
export function resolvePath(path: string, { cwd, home }: { readonly cwd: string; readonly home: string }): string {
  if (path === '~') return resolve(home)
  return path.startsWith('~/') ? join(home, path.slice(2)) : resolve(cwd, path)
}

async function readFirst(candidates: readonly string[]): Promise<{ readonly path: string; readonly text: string } | undefined> {
  for (const path of candidates) {
    const text = await readPrivateFile(path)
    if (text !== undefined) return { path, text }
  }
  return undefined
}

/** Puts line and column, counted from one, in place of the parser's offset. */
function withPosition(message: string, source: string): string {
  return message.replace(/at offset (\d+)/, (_, offset: string) => {
    const before = source.slice(0, Number(offset)).split('\n')
    return `in line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
  })
}
