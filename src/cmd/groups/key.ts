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
      flags: [{ name: 'type', type: 'text', value: 'type', doc: 'ed25519, or secp256k1.', default: 'ed25519' }, force],
      examples: ['nunet key new user', 'nunet key new dms'],
      load: async () => (await import('../commands/key.ts')).newKey
    },
    {
      name: 'did',
      summary: 'Prints the DID of a key or of a wallet.',
      args: ['name'],
      examples: ['nunet key did user', 'nunet key did ledger', 'nunet key did ledger:2'],
      load: async () => (await import('../commands/key.ts')).showDid
    },
    { name: 'list', summary: 'Lists the names of all keys.', load: async () => (await import('../commands/key.ts')).listKeys },
    {
      name: 'ledger-alias',
      summary: 'Gives names to accounts of a Ledger, for ledger:<alias>.',
      commands: [
        {
          name: 'set',
          summary: 'Adds an alias, or gives it another account.',
          args: ['alias', 'index'],
          examples: ['nunet key ledger-alias set work 5', 'nunet key did ledger:work'],
          load: async () => (await import('../commands/ledger-alias.ts')).setAlias
        },
        {
          name: 'list',
          summary: 'Lists the aliases with their accounts.',
          load: async () => (await import('../commands/ledger-alias.ts')).listAliases
        },
        {
          name: 'remove',
          summary: 'Removes an alias; its context file stays.',
          args: ['alias'],
          load: async () => (await import('../commands/ledger-alias.ts')).removeAlias
        }
      ]
    }
  ]
}
