import { join } from 'node:path'
import { err, ok, type Result } from '../../base/index.ts'
import { findConfigFile, setConfigValue } from '../../config/index.ts'
import { FileExistsError, writePrivateFile } from '../../db/index.ts'
import type { Flags } from '../command.ts'
import { UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import { keystoreOf } from '../keys.ts'
import { loadSettings, placesOf } from '../settings.ts'
import { ask, parsePort } from './interview.ts'
import type { Outcome } from './run.ts'

/** A key of the configuration and its value, as `config set` takes them. */
interface Setting {
  readonly key: string
  readonly text: string
}

/**
 * Writes the configuration file when there is none, the node is new and something differs from the defaults; `--set` is written in
 * any case.
 *
 * All questions come before the first write, so that an interruption leaves no half of the answers.
 */
export async function configure(flags: Flags, io: Io): Promise<Outcome> {
  const given = joinAddresses(flags.list('set')).map(parseSetting)
  const { path, exists } = await placeOfFile(flags, io)
  if (flags.isSet('config') && !exists) await createEmpty(path)
  const isUndecided = !exists && !(await wasSetUp(flags, io))
  const settings = [...(isUndecided ? await askSettings(io, given) : []), ...given]
  for (const { key, text } of settings) await setConfigValue({ path, key, text })
  if (settings.length > 0) {
    const [first] = settings
    const commands = first === undefined ? {} : { command: `nunet config set ${first.key} ${first.text}` }
    return {
      step: 'configuration',
      state: 'done',
      text: `wrote ${settings.map(({ key }) => key).join(', ')} to ${path}`,
      ...commands
    }
  }
  const text = exists ? path : 'no file: the defaults are used'
  return { step: 'configuration', state: 'already', text }
}

/** Whoever made the daemon's key without a file has decided for the defaults. */
async function wasSetUp(flags: Flags, io: Io): Promise<boolean> {
  const { config } = await loadSettings(flags, io)
  return await keystoreOf(config, io).exists(flags.text('context') ?? '')
}

/** The values of the flag were cut at commas; what begins like an address belongs to the list before it. */
function joinAddresses(pieces: readonly string[]): readonly string[] {
  const joined: string[] = []
  for (const piece of pieces) {
    const last = piece.startsWith('/') ? joined.pop() : undefined
    joined.push(last === undefined ? piece : `${last},${piece}`)
  }
  return joined
}

function parseSetting(pair: string): Setting {
  const at = pair.indexOf('=')
  if (at > 0) return { key: pair.slice(0, at), text: pair.slice(at + 1) }
  throw new UsageError(`invalid argument ${JSON.stringify(pair)} for "--set" flag: must be key=value, such as rest.port=10000`)
}

/** A new file belongs into the home directory, where every command finds it whatever its working directory is (D §12, 5). */
async function placeOfFile(flags: Flags, io: Io): Promise<{ readonly path: string; readonly exists: boolean }> {
  const found = await findConfigFile(placesOf(flags, io))
  return found.exists || flags.isSet('config') ? found : { path: join(io.home, '.nunet', 'dms_config.json'), exists: false }
}

/** `--config` names a file that later commands insist on. */
async function createEmpty(path: string): Promise<void> {
  try {
    await writePrivateFile(path, '{}\n', { overwrite: false })
  } catch (error) {
    if (!(error instanceof FileExistsError)) throw error // somebody else made it meanwhile: that one counts
  }
}

const REST_PORT = 9999
const PEER_PORT = 9000
const WORK_DIRECTORY = '~/nunet'

async function askSettings(io: Io, given: readonly Setting[]): Promise<readonly Setting[]> {
  const isOpen = (key: string): boolean => !given.some((setting) => setting.key === key)
  const settings: Setting[] = []
  if (isOpen('rest.port')) {
    const port = await ask(io, { text: 'Port on this machine for commands', usual: String(REST_PORT), parse: parsePort })
    if (port !== REST_PORT) settings.push({ key: 'rest.port', text: String(port) })
  }
  if (isOpen('p2p.listen_address')) {
    const port = await ask(io, { text: 'Port for other nodes', usual: String(PEER_PORT), parse: parsePort })
    if (port !== PEER_PORT) settings.push({ key: 'p2p.listen_address', text: `/ip4/0.0.0.0/tcp/${port}` })
  }
  if (isOpen('general.work_dir')) {
    const text = 'Directory of jobs, logs and the database; the room on its disk is what can be lent'
    const path = await ask(io, { text, usual: WORK_DIRECTORY, parse: parsePath })
    if (path !== WORK_DIRECTORY) {
      settings.push(
        { key: 'general.work_dir', text: path },
        { key: 'observability.logging.file', text: join(path, 'logs', 'nunet-dms-logs.jsonl') }
      )
      if (isOpen('general.data_dir')) settings.push({ key: 'general.data_dir', text: join(path, 'data') })
    }
  }
  return settings
}

function parsePath(answer: string): Result<string, string> {
  return answer.startsWith('/') || answer.startsWith('~/') ? ok(answer) : err('please give a path that begins with / or ~/')
}
