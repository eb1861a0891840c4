import type { Action } from '../command.ts'
import { tellDms } from '../contexts.ts'
import { NoTerminalError } from '../errors.ts'
import type { Io } from '../io.ts'
import { note } from '../output.ts'
import { joinNetwork } from '../setup/join.ts'
import { lend } from '../setup/lend.ts'
import { printNode, setUpNode } from '../setup/node.ts'
import type { Outcome } from '../setup/run.ts'

/**
 * `nunet setup`: does what is missing for a node, step by step, and nothing twice; each step is saved before the next begins.
 *
 * stdout has the DIDs of the user and of the machine, or with `--json` every step; everything else is on stderr.
 */
export const setup: Action = async ({ flags }, io) => {
  if (io.terminal === undefined && !flags.isOn('yes')) {
    throw new NoTerminalError(
      'the setup asks questions and there is no terminal: give --yes, and flags for other answers than the usual'
    )
  }
  const quiet = flags.isOn('yes') ? withoutTerminal(io) : io
  const { run, configuration } = await setUpNode(flags, quiet)
  await joinNetwork(run)
  // before anything is asked of a daemon that runs already: it must know its anchors
  if (run.outcomes.some(isNewAnchor)) await tellDms((await run.open(run.dms)).context, flags, quiet)
  await lend(run)
  await finish([configuration, ...run.outcomes], io)
  await printNode({ run, configuration }, flags, io)
}

function withoutTerminal(io: Io): Io {
  const { terminal: _, ...rest } = io
  return rest
}

function isNewAnchor({ state, step }: Outcome): boolean {
  return state === 'done' && ['root anchor', 'network', 'delegation'].includes(step)
}

async function finish(outcomes: readonly Outcome[], io: Io): Promise<void> {
  const open = outcomes.filter(({ state }) => state === 'open')
  const done = outcomes.filter(({ state }) => state === 'done')
  if (done.length === 0) await note(io, 'Nothing was changed: what could be done was done before.')
  if (done.some(({ step }) => step.startsWith('key '))) {
    await note(
      io,
      'Back up the directories key and cap of the user directory, and remember the passphrases: nobody can restore them.'
    )
  }
  const left = open.map(({ step }) => step).join(', ')
  await note(
    io,
    `${open.length === 0 ? 'All is set up.' : `Still open: ${left}.`} Next: nunet doctor, nunet run (as a service: docs/guides/first-node.md, chapter 5). Run nunet setup again at any time.`
  )
}
