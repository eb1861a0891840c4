import { runAgent } from '../../agent/index.ts'
import { CancelledError, millis } from '../../base/index.ts'
import { resolvePath } from '../../config/index.ts'
import type { Action, Flags } from '../command.ts'
import type { Io } from '../io.ts'
import { printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'

/** `nunet agent`: the agent in the foreground, until it has nothing left to hold, or SIGINT or SIGTERM. */
export const agent: Action = async ({ flags }, io) => {
  io.shieldProcess()
  const userDir = await userDirectory(flags, io)
  const stop = new AbortController()
  const forget = io.onStopSignal(() => stop.abort(new CancelledError('the agent was told to stop')))
  try {
    await runAgent({
      userDir,
      environment: io.environment,
      uid: process.geteuid?.(),
      clock: io.clock,
      uptime: () => millis(performance.now()),
      onReady: () => printLine(io, 'the agent is ready'),
      signal: stop.signal
    })
  } finally {
    forget()
  }
}

/** A directory that is named needs no configuration: `nunet unlock` names the one of its own. */
async function userDirectory(flags: Flags, io: Io): Promise<string> {
  const given = flags.text('user-dir')
  if (given !== undefined) return resolvePath(given, io)
  const { config } = await loadSettings(flags, io)
  return config.general.user_dir
}
