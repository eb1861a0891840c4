import type { FlagSpec } from './command.ts'

/** The flags of every command, each with the key of the configuration that it overrides (D §1.1). */
export const KEYED_FLAGS: readonly (FlagSpec & { readonly key: string })[] = [
  { name: 'rest-addr', type: 'text', value: 'address', doc: 'Address of the REST server.', key: 'rest.addr' },
  { name: 'rest-port', type: 'integer', value: 'port', doc: 'Port of the REST server.', key: 'rest.port' },
  {
    name: 'user-dir',
    type: 'text',
    value: 'path',
    doc: 'Directory of keys and capability files.',
    values: 'directory',
    key: 'general.user_dir'
  },
  {
    name: 'work-dir',
    type: 'text',
    value: 'path',
    doc: 'Directory of deployments and jobs.',
    values: 'directory',
    key: 'general.work_dir'
  },
  {
    name: 'data-dir',
    type: 'text',
    value: 'path',
    doc: 'Directory of the database.',
    values: 'directory',
    key: 'general.data_dir'
  },
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
