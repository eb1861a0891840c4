import { stopDaemon } from '../background.ts'
import type { Action } from '../command.ts'
import { note } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { isAskedToLend, lend } from '../setup/lend.ts'
import { bringUp, printNode } from '../setup/node.ts'

/**
 * `nunet up`: from nothing to a running node: keys, contexts, configuration, the daemon in the background, and lending when a flag
 * says so. Does only what is missing, asks nothing but passphrases.
 */
export const up: Action = async ({ flags }, io) => {
  const node = await bringUp(flags, io)
  if (isAskedToLend(flags)) await lend(node.run)
  const outcomes = [node.configuration, ...node.run.outcomes]
  if (outcomes.every(({ state }) => state === 'already')) await note(io, 'The DMS runs: nothing was to be done')
  await printNode({ ...node, dms: node.machine.did }, flags, io)
}

/** `nunet down`: ends the daemon; jobs go on. */
export const down: Action = async ({ flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const pid = await stopDaemon(config, io)
  await note(io, `The DMS (process ${pid}) has ended; jobs go on, and are found again by the next nunet up`)
}
