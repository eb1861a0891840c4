import { agentOf } from '../agents.ts'
import type { Action } from '../command.ts'
import { NotUnlockedError } from '../errors.ts'
import { note } from '../output.ts'
import { loadSettings } from '../settings.ts'

/** `nunet lock [name]`: the agent forgets one key, or all, and ends when none is left. */
export const lock: Action = async ({ args: [name], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const agent = await agentOf(config, io)
  const locked = (await agent?.lock(name)) ?? []
  if (locked.length > 0) return await note(io, `locked: ${locked.map((key) => key.name).join(', ')}`)
  if (name !== undefined) throw new NotUnlockedError(`the key ${name} is not unlocked`)
  await note(io, 'no key is unlocked')
}
