import type { Action } from '../command.ts'
import { readEnsembleFile } from '../ensemble-file.ts'
import { note, printLine } from '../output.ts'

/** `nunet validate <file>`: whether an ensemble is right (D §2.1); what this version cannot do is a warning. */
export const validate: Action = async ({ args: [path = ''], flags }, io) => {
  const { unsupported } = await readEnsembleFile(path, flags, io)
  for (const line of unsupported) await note(io, `Warning: not supported by this version: ${line}`)
  await printLine(io, 'Configuration is valid.')
}
