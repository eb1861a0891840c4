import { type ConfigPlaces, type LoadedConfig, loadConfig } from '../config/index.ts'
import type { Flags } from './command.ts'
import { KEYED_FLAGS } from './global-flags.ts'
import type { Io } from './io.ts'

/** The flag that sets a key for one call, if there is one. */
export function flagOfKey(key: string): string | undefined {
  const flag = KEYED_FLAGS.find((candidate) => candidate.key === key)
  return flag === undefined ? undefined : `--${flag.name}`
}

/** Where the configuration of this call is looked for. */
export function placesOf(flags: Flags, { environment, cwd, home }: Io): ConfigPlaces {
  const configPath = flags.text('config')
  return { environment, cwd, home, ...(configPath === undefined ? {} : { configPath }) }
}

/** The effective configuration of this call; errors as `loadConfig`. */
export async function loadSettings(flags: Flags, io: Io): Promise<LoadedConfig> {
  const given = Object.fromEntries(KEYED_FLAGS.map(({ name, key }) => [key, flags.text(name)]))
  return await loadConfig({ ...placesOf(flags, io), flags: given })
}
