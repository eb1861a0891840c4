import { EXIT_CODES } from '../base/index.ts'
import type { Entry } from './roff.ts'

/** Exit codes and what they mean; all that a command can end with. */
export const EXIT_STATUS: readonly Entry[] = [
  ['0', 'Done. A question was answered, even if the answer is bad news.'],
  [String(EXIT_CODES.invalid), 'The input is wrong.'],
  [String(EXIT_CODES.conflict), 'It conflicts with what is there: exists already, is in use, was refused.'],
  [String(EXIT_CODES['not-found']), 'There is no such key, file, deployment and so on.'],
  [String(EXIT_CODES.unavailable), 'Not reachable now: no daemon, no peer.'],
  [String(EXIT_CODES.internal), 'A fault of this program or of what it relies on.'],
  [String(EXIT_CODES.timeout), 'Took too long, or too much at once: try again.'],
  [String(EXIT_CODES.forbidden), 'A wrong or missing passphrase, or no capability for it.'],
  [String(EXIT_CODES.cancelled), 'Interrupted.']
]

/** Variables that the program reads; those of the configuration keys are in dms_config.json(5). */
export const ENVIRONMENT: readonly Entry[] = [
  ['DMS_PASSPHRASE', 'Passphrase of the key, in place of a question on the terminal. No child process gets it.'],
  ['DMS_PASSPHRASE_FILE', 'File that holds it; one line break at its end is not part of it.'],
  ['DMS_PASSPHRASE_FD', 'Open file descriptor to read it from.'],
  ['DMS_NEW_PASSPHRASE', 'The new one, where a passphrase takes the place of another.'],
  ['DMS_<KEY>', 'Value of a key of the configuration: `rest.port` is `DMS_REST_PORT`. See dms_config.json(5).'],
  ['BOOTSTRAP_PEERS', 'Addresses in place of `p2p.bootstrap_peers`, between commas.'],
  ['VISUAL, EDITOR', 'Editor of `nunet config edit`; the first that is set.'],
  ['XDG_CONFIG_HOME', 'Directory of configurations in place of `~/.config`.'],
  ['DOCKER_HOST', 'Socket of the Docker daemon.']
]

/** Files of the program and its owner. */
export const FILES: readonly Entry[] = [
  [
    './dms_config.json, ~/.nunet/dms_config.json, ~/.config/nunet/dms_config.json, /etc/nunet/dms_config.json',
    'Configuration; the first one found counts.'
  ],
  ['<user_dir>/key/<name>.json', 'Keys, encrypted. `user_dir` is `~/.nunet` unless configured.'],
  ['<user_dir>/cap/<name>.cap', 'Capability contexts.'],
  ['<data_dir>/dms.sqlite', 'Database: offer, allocations, deployments. `data_dir` is `~/nunet/data`.'],
  ['<work_dir>/jobs/', 'Output of jobs that run here. `work_dir` is `~/nunet`.'],
  ['<work_dir>/deployments/', 'Output of own deployments.']
]
