import { BEHAVIOR_GROUPS, CALLER_CLASSES } from '../../protocol/index.ts'
import type { Action } from '../command.ts'
import { printLine } from '../output.ts'

/** `nunet cap help`: what can be granted: the behaviours, whose names are the capabilities, with who usually holds them (A §12.2). */
export const listCapabilities: Action = async (_invocation, io) => {
  await printLine(
    io,
    'A capability is the path of a behavior, or a path above it: /public has all that begins with /public/; / is everything.'
  )
  for (const { title, behaviors } of BEHAVIOR_GROUPS) {
    await printLine(io, `\n${title}:`)
    const width = Math.max(...behaviors.map(({ name }) => name.length))
    for (const { name, callers, summary } of behaviors)
      await printLine(io, `  ${name.padEnd(width)}  ${callers.padEnd(10)} ${summary}`)
  }
  await printLine(io, '\nWho usually holds them:')
  for (const [name, meaning] of Object.entries(CALLER_CLASSES))
    await printLine(io, `  ${name.padEnd(10)}  ${meaning.replaceAll('`', '')}`)
}
