import { encodeToken } from '../../ucan/index.ts'
import type { Action } from '../command.ts'
import { confirm } from '../confirm.ts'
import { contextsOf, openContextFile, readContext, tellDms } from '../contexts.ts'
import { note } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { contextSourceOf } from '../signers.ts'

/**
 * `nunet cap seal`: accepts a context file as it is, whoever changed it, by signing it with its key; the old file is kept as a copy.
 *
 * What is in it is shown first: whoever could write the file could add a root anchor (A §14, W6).
 */
export const seal: Action = async ({ flags }, io) => {
  const view = await readContext(flags, io, { acceptChanged: true })
  if (view.seal === 'signed') return await note(io, `${view.path} carries a good signature of its key: nothing was changed`)
  await note(io, `${view.path} says:`)
  for (const root of view.anchors.roots) await note(io, `  root: ${root} may do everything`)
  for (const kind of ['require', 'provide', 'revoke'] as const) {
    for (const token of view.anchors[kind]) await note(io, `  ${kind}: ${encodeToken(token)}`)
  }
  if (!flags.isOn('yes')) {
    await confirm(io, {
      complaint: `signing ${view.path} makes everything in it count`,
      question: 'Is all of that meant to be there?'
    })
  }
  const { config } = await loadSettings(flags, io)
  const contexts = contextsOf(config, io)
  const { fileName, openSigner } = await contextSourceOf(flags.text('context') ?? '', config, io)
  const signer = await openSigner()
  const copy = await contexts.seal(fileName, signer, view.digest)
  await note(io, `Signed ${view.path}${copy === undefined ? '' : `; the file from before is ${copy}`}`)
  await tellDms((await openContextFile(contexts, fileName, signer, io)).context, flags, io)
}
