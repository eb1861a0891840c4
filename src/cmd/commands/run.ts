import { CancelledError } from '../../base/index.ts'
import { buildInfo } from '../build-info.ts'
import type { Action } from '../command.ts'
import { contextsOf } from '../contexts.ts'
import { NotSetUpError } from '../errors.ts'
import type { Io } from '../io.ts'
import { keystoreOf } from '../keys.ts'
import { migrateSettings } from '../migration.ts'
import { note } from '../output.ts'
import { givenPassphrase } from '../passphrase.ts'
import { ERASE, withProgress } from '../progress.ts'
import { loadSettings } from '../settings.ts'
import { refuseWallet } from '../wallet-names.ts'

/** Exit code when the daemon has to be stopped twice. */
const STOPPED_BY_FORCE = 70

/** `nunet run`: the daemon in the foreground until SIGINT or SIGTERM; a second signal ends the process at once. */
export const run: Action = async ({ flags }, io) => {
  const reload: { listener?: (cause: string) => void } = {}
  const ignoreReloads = io.onReloadSignal((signal) => reload.listener?.(signal)) // first: until then SIGUSR1 opens the debugger
  const settings = await loadSettings(flags, io)
  const { config, path } = settings
  const warnings = await migrateSettings(settings, io)
  const name = flags.text('context') ?? ''
  refuseWallet(name, 'the service signs every message by itself and needs a key of this machine; run it with one, such as -c dms')
  requireSetUp(name, {
    key: await keystoreOf(config, io).exists(name),
    context: await contextsOf(config, io).exists(name)
  })
  const passphrase = await givenPassphrase(io, name)
  const { runDaemon } = await import('../../daemon.ts')
  const stop = new AbortController()
  const forget = io.onStopSignal(() => {
    if (stop.signal.aborted) io.exit(STOPPED_BY_FORCE)
    stop.abort(new CancelledError('the daemon was told to stop'))
  })
  const hasConsole = !flags.isOn('no-console')
  const start = createStart()
  try {
    const daemon = runDaemon({
      config,
      version: buildInfo().version,
      ...(path === undefined ? {} : { configPath: path }),
      contextName: name,
      passphrase,
      warnings,
      ...(hasConsole ? { console: consoleOf(io, start) } : {}),
      onReady: start.end,
      onReloadSignal(listener) {
        reload.listener = listener
        return ignoreReloads
      },
      signal: stop.signal
    })
    const info = await withProgress(withoutStopSignals(io), { text: 'starting the DMS' }, () => firstOf(start.ended, daemon))
    // where it cannot be written to, nobody can be told, and the daemon runs all the same
    if (info !== undefined) await announce(info, hasConsole ? io : { ...io, stderr: io.stdout }).catch(() => undefined)
    await daemon
  } catch (error) {
    // Being told to stop while it starts is not a failure.
    if (!(stop.signal.aborted && error instanceof CancelledError)) throw error
  } finally {
    forget()
  }
}

/** The start of the daemon, which ends when it works. */
interface Start {
  readonly ended: Promise<Announcement>
  end(info: Announcement): void
  isOver(): boolean
}

function createStart(): Start {
  let [isOver, resolveEnded]: [boolean, (info: Announcement) => void] = [false, () => undefined]
  const ended = new Promise<Announcement>((resolve) => {
    resolveEnded = resolve
  })
  return {
    ended,
    end(info) {
      isOver = true
      resolveEnded(info)
    },
    isOver: () => isOver
  }
}

/** What the daemon says once it works; nothing when it ends before. */
async function firstOf(info: Promise<Announcement>, daemon: Promise<void>): Promise<Announcement | undefined> {
  return await Promise.race([info, daemon.then(() => undefined)])
}

/** The daemon stops by itself at a signal: showing its progress must not end the process. */
function withoutStopSignals(io: Io): Io {
  return { ...io, stderr: io.stderr, onStopSignal: () => () => undefined }
}

/** The log on stderr; while the progress of the start stands there, each line takes its place. */
function consoleOf({ stderr }: Io, start: Start): { write(line: string): void } {
  return {
    write(line) {
      const prefix = !start.isOver() && stderr.screen?.canRedraw === true ? ERASE : ''
      stderr.write(prefix + line).catch(() => undefined) // nobody to show it to; the log file has it
    }
  }
}

/** Creating what is missing would turn a typing error into a new identity (A §14, W7). */
function requireSetUp(name: string, has: { readonly key: boolean; readonly context: boolean }): void {
  const missing = [...(has.key ? [] : ['key']), ...(has.context ? [] : ['capability context'])]
  if (missing.length === 0) return
  const commands = [...(has.key ? [] : [`nunet key new ${name}`]), ...(has.context ? [] : [`nunet cap new ${name}`])]
  throw new NotSetUpError(`there is no ${missing.join(' and no ')} with name ${name}; create with: ${commands.join(' && ')}`)
}

interface Announcement {
  readonly did: string
  readonly peerId: string
  readonly rest: { readonly tcp?: { readonly host: string; readonly port: number }; readonly socket?: string }
  readonly addresses: readonly string[]
}

async function announce({ did, peerId, rest, addresses }: Announcement, io: Io): Promise<void> {
  await note(io, 'DMS is ready')
  await note(io, `  DID:       ${did}`)
  await note(io, `  peer id:   ${peerId}`)
  if (rest.tcp !== undefined) await note(io, `  REST:      http://${rest.tcp.host}:${rest.tcp.port}`)
  if (rest.socket !== undefined) await note(io, `  socket:    ${rest.socket}`)
  for (const address of addresses) await note(io, `  address:   ${address}`)
}
