import type { Action } from '../command.ts'
import { printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { didOfName } from '../signers.ts'

/** `nunet key did <name>`: a wallet is asked for it. In a file of its own, so that an unlocked key is shown without loading what opens key files. */
export const showDid: Action = async ({ args: [name = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  await printLine(io, await didOfName(name, config, io))
}
