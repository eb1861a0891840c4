import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { hasErrno, type Millis, millis, type Secret, seconds, withTimeout } from '../base/index.ts'
import { ClientUnavailableError } from '../client/index.ts'
import type { Config } from '../config/index.ts'
import { FileForbiddenError, lockHolder } from '../db/index.ts'
import { clientOf } from './clients.ts'
import type { Flags } from './command.ts'
import { NotRunningError, NotStartedError, NotStoppedError } from './errors.ts'
import { KEYED_FLAGS } from './global-flags.ts'
import type { Io } from './io.ts'
import { givenPassphrase } from './passphrase.ts'
import { withProgress } from './progress.ts'
import { loadSettings } from './settings.ts'
import { otherDms } from './setup/machine.ts'

/** Longer than a start takes on a slow machine with many jobs to find again. */
const START_TIME = seconds(90)
const HANDLE_TIME = seconds(5)
const STOP_TIME = seconds(60)
const POLL_INTERVAL = millis(100)

/** Which daemon is meant. */
export interface BackgroundOptions {
  readonly flags: Flags
  readonly io: Io
  /** Name of its key. */
  readonly name: string
  /** Its DID. */
  readonly did: string
}

/**
 * Whether the daemon of this configuration runs already, in the background, in a terminal or as a service.
 *
 * @throws OtherDmsError when one with another key answers in its place.
 */
export async function isRunning({ flags, io, did }: BackgroundOptions): Promise<boolean> {
  const { config } = await loadSettings(flags, io)
  const client = clientOf(config, io)
  try {
    const handle = await withTimeout(io.clock, HANDLE_TIME, 'asking for the handle', (signal) => client.handle({ signal }))
    if (handle.did === did) return true
    throw otherDms(handle.did, config)
  } catch (error) {
    if (error instanceof ClientUnavailableError) return false
    throw error
  }
}

/**
 * Starts the daemon apart from this terminal, and resolves once it answers. Its passphrase travels through a pipe.
 *
 * @throws NotStartedError with the daemon's own complaint, and what `givenPassphrase` throws.
 */
export async function startInBackground({ flags, io, name }: BackgroundOptions): Promise<void> {
  const settings = await loadSettings(flags, io)
  const passphrase = await givenPassphrase(io, name)
  const args = ['run', '--no-console', '--context', name, '--passphrase-fd', '0', ...globalArgs(flags, io, settings.path)]
  const { data_dir: directory } = settings.config.general
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await withProgress(io, { text: 'starting the DMS', limit: START_TIME }, () => start(args, directory, passphrase, io))
}

async function start(args: readonly string[], directory: string, input: Secret, io: Io): Promise<void> {
  const options = { input, stderrPath: join(directory, 'daemon.err'), hasSettings: true }
  try {
    await withTimeout(io.clock, START_TIME, 'the start of the DMS', () => io.startDetached(args, options))
  } catch (error) {
    if (!(error instanceof NotStartedError)) throw error
    throw new NotStartedError(`the DMS did not start: ${error.message}`, { cause: error })
  }
}

/** The flags of this call that say where things are; the daemon has another working directory. */
function globalArgs(flags: Flags, io: Io, configPath: string | undefined): readonly string[] {
  const given = KEYED_FLAGS.filter(({ name }) => flags.isSet(name)).map(({ name, type, values }) => {
    const text = flags.text(name) ?? ''
    if (type === 'switch') return `--${name}=${text}`
    return `--${name}=${values === 'directory' && !text.startsWith('~') ? resolve(io.cwd, text) : text}`
  })
  return [...(configPath === undefined ? [] : [`--config=${resolve(io.cwd, configPath)}`]), ...given]
}

/**
 * Ends the daemon that uses the data directory of this configuration, and resolves once it has ended; jobs go on.
 *
 * @throws NotRunningError, FileForbiddenError, NotStoppedError.
 */
export async function stopDaemon(config: Config, io: Io): Promise<number> {
  const lock = join(config.general.data_dir, 'daemon')
  const pid = lockHolder(lock)
  if (pid === undefined) throw new NotRunningError(`no DMS runs with the data of ${config.general.data_dir}`)
  signal(pid)
  await withProgress(io, { text: 'stopping the DMS', limit: STOP_TIME }, () => untilEnded(lock, pid, STOP_TIME, io))
  return pid
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM')
  } catch (error) {
    if (hasErrno(error, 'ESRCH')) return // it has just ended
    if (hasErrno(error, 'EPERM')) throw new FileForbiddenError(`process ${pid} belongs to another user: stop it as that user`)
    throw error
  }
}

async function untilEnded(lock: string, pid: number, limit: Millis, { clock }: Io): Promise<void> {
  const deadline = clock.now() + limit
  while (lockHolder(lock) === pid) {
    if (clock.now() >= deadline)
      throw new NotStoppedError(`process ${pid} was told to end and still runs after ${limit / 1000} s`)
    await clock.sleep(POLL_INTERVAL)
  }
}
