import { runAgent } from '../../agent/index.ts'
import { CancelledError, millis } from '../../base/index.ts'
import type { Action } from '../command.ts'
import { printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'

/** `nunet agent`: the agent in the foreground, until it has nothing left to hold, or SIGINT or SIGTERM. */
export const agent: Action = async ({ flags }, io) => {
  io.shieldProcess()
  const { config } = await loadSettings(flags, io)
  const stop = new AbortController()
  const forget = io.onStopSignal(() => stop.abort(new CancelledError('the agent was told to stop')))
  try {
    await runAgent({
      userDir: config.general.user_dir,
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
