import { type ConfigPlaces, type LoadedConfig, loadConfig } from '../config/index.ts'
import type { FlagSpec, Flags } from './command.ts'
import type { Io } from './io.ts'

/** The flags of every command, each with the key of the configuration that it overrides (D §1.1). */
const KEYED_FLAGS: readonly (FlagSpec & { readonly key: string })[] = [
  { name: 'rest-addr', type: 'text', value: 'address', doc: 'Address of the REST server.', key: 'rest.addr' },
  { name: 'rest-port', type: 'integer', value: 'port', doc: 'Port of the REST server.', key: 'rest.port' },
  { name: 'user-dir', type: 'text', value: 'path', doc: 'Directory of keys and capability files.', key: 'general.user_dir' },
  { name: 'work-dir', type: 'text', value: 'path', doc: 'Directory of deployments and jobs.', key: 'general.work_dir' },
  { name: 'data-dir', type: 'text', value: 'path', doc: 'Directory of the database.', key: 'general.data_dir' },
  {
    name: 'debug',
    type: 'switch',
    doc: 'Logs at level DEBUG; errors of commands are shown with their stack.',
    key: 'general.debug'
  },
  { name: 'profiler-enabled', type: 'switch', doc: 'Serves profiles.', key: 'profiler.enabled' },
  { name: 'profiler-addr', type: 'text', value: 'address', doc: 'Address of the profiler.', key: 'profiler.addr' },
  { name: 'profiler-port', type: 'integer', value: 'port', doc: 'Port of the profiler.', key: 'profiler.port' }
]

/** The flags that every command takes. */
export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  {
    name: 'config',
    type: 'text',
    value: 'path',
    doc: 'Configuration file; otherwise dms_config.json in ., ~/.nunet, ~/.config/nunet or /etc/nunet.'
  },
  ...KEYED_FLAGS.map(({ key: _key, ...flag }) => flag),
  {
    name: 'passphrase-file',
    type: 'text',
    value: 'path',
    doc: 'File with the passphrase of the key; otherwise DMS_PASSPHRASE, DMS_PASSPHRASE_FD, DMS_PASSPHRASE_FILE, a systemd credential, or the terminal.'
  },
  { name: 'passphrase-fd', type: 'integer', value: 'number', doc: 'The same from an open file descriptor.' }
]

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
