import { stopDaemon } from '../background.ts'
import type { Action } from '../command.ts'
import { tellDms } from '../contexts.ts'
import { note } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { isAskedToLend, lend } from '../setup/lend.ts'
import { printNode, setUpNode } from '../setup/node.ts'
import { ensureRunning, withoutQuestions } from '../setup/start.ts'

/**
 * `nunet up`: from nothing to a running node: keys, contexts, configuration, the daemon in the background, and lending when a flag
 * says so. Does only what is missing, asks nothing but passphrases.
 */
export const up: Action = async ({ flags }, io) => {
  const { run, configuration } = await setUpNode(flags, withoutQuestions(io), { isBrief: true })
  const state = await ensureRunning(run)
  if (state === 'running' && configuration.state === 'done') {
    await note(io, 'The running DMS uses the new settings after: nunet down && nunet up')
  }
  if (state === 'running' && run.outcomes.some(({ step, state: how }) => step === 'root anchor' && how === 'done')) {
    await tellDms((await run.open(run.dms)).context, flags, io)
  }
  if (isAskedToLend(flags)) await lend(run)
  if (run.outcomes.some(({ step, state: how }) => step.startsWith('key ') && how === 'done')) {
    const directory = run.config.general.user_dir
    await note(io, `Back up ${directory}/key and ${directory}/cap, and remember the passphrase: nobody can restore them.`)
  }
  await printNode(run, [configuration, ...run.outcomes], flags, io)
}

/** `nunet down`: ends the daemon; jobs go on. */
export const down: Action = async ({ flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const pid = await stopDaemon(config, io)
  await note(io, `The DMS (process ${pid}) has ended; jobs go on, and are found again by the next nunet up`)
}
