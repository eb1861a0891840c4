import type { Action } from '../command.ts'
import { completeLine, renderCompletion } from '../complete.ts'
import { COMPLETION_SCRIPTS } from '../shells.ts'

/** `nunet completion <shell>`: the script, for a file that the shell reads. */
export const printScript: Action = async ({ path }, io) => {
  await io.stdout.write(COMPLETION_SCRIPTS[path.at(-1) ?? ''] ?? '')
}

/** `nunet __complete <words…>`: what the scripts ask at every TAB. */
export const complete: Action = async ({ root, args }, io) => {
  await io.stdout.write(renderCompletion(await completeLine(root, args, io)))
}
