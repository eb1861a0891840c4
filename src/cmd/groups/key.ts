import type { CommandSpec } from '../command.ts'
import { force } from './flags.ts'

/** `nunet key …`. */
export const key: CommandSpec = {
  name: 'key',
  summary: 'Makes and shows keys.',
  commands: [
    {
      name: 'new',
      summary: 'Makes a key and prints its DID.',
      args: ['name'],
      flags: [force],
      examples: ['nunet key new user', 'nunet key new dms'],
      load: async () => (await import('../commands/key.ts')).newKey
    },
    {
      name: 'did',
      summary: 'Prints the DID of a key.',
      args: ['name'],
      load: async () => (await import('../commands/key.ts')).showDid
    },
    { name: 'list', summary: 'Lists the names of all keys.', load: async () => (await import('../commands/key.ts')).listKeys }
  ]
}
