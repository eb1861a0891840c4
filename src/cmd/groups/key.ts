import type { CommandSpec, FlagSpec } from '../command.ts'
import { force, json } from './flags.ts'

const newPassphraseFlags: readonly FlagSpec[] = [
  {
    name: 'new-passphrase-file',
    type: 'text',
    value: 'path',
    doc: 'File with the new passphrase; otherwise DMS_NEW_PASSPHRASE, or the terminal.'
  },
  { name: 'new-passphrase-fd', type: 'integer', value: 'number', doc: 'The same from an open file descriptor.' }
]

const yes: FlagSpec = { name: 'yes', short: 'y', type: 'switch', doc: 'Does it without asking.' }

/** `nunet key …`. */
export const key: CommandSpec = {
  name: 'key',
  summary: 'Makes, shows and keeps keys.',
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
      argValues: ['key'],
      examples: ['nunet key did user', 'nunet key did ledger', 'nunet key did ledger:2'],
      load: async () => (await import('../commands/key-did.ts')).showDid
    },
    {
      name: 'list',
      summary: 'Lists the names of all keys.',
      flags: [
        { name: 'long', short: 'l', type: 'switch', doc: 'With the mode of the file, and the DID of those that are unlocked.' },
        { name: 'json', type: 'switch', doc: 'The same as JSON, with what is wrong with the file.' }
      ],
      examples: ['nunet key list', 'nunet key list --json'],
      load: async () => (await import('../commands/key.ts')).listKeys
    },
    {
      name: 'import',
      summary: 'Stores a key that was made elsewhere and prints its DID.',
      description:
        'From a file, from stdin (-), or typed without being shown. Either a private key as hexadecimal or base64 (libp2p protobuf, an Ed25519 seed of 32 bytes or key of 64), which gets a passphrase; or an encrypted key file of this program or the Go one, which must open with its passphrase and is stored as it is unless a new passphrase is asked for.',
      args: ['name', 'file'],
      optionalArgs: 1,
      flags: [
        force,
        { name: 'new-passphrase', type: 'switch', doc: 'Encrypts a key file anew, with another passphrase.' },
        ...newPassphraseFlags
      ],
      examples: ['nunet key import user backup/user.json', 'nunet key import user -', 'nunet key import user'],
      load: async () => (await import('../commands/key-import.ts')).importKey
    },
    {
      name: 'export',
      summary: 'Prints the encrypted file of a key, for a backup.',
      args: ['name'],
      argValues: ['key'],
      flags: [
        { name: 'output', short: 'o', type: 'text', value: 'path', doc: 'A new file of mode 0600 instead of stdout.' },
        { name: 'plain', type: 'switch', doc: 'The private key itself, as hexadecimal of its libp2p form.' },
        yes
      ],
      examples: ['nunet key export user --output /media/backup/user.json'],
      load: async () => (await import('../commands/key-export.ts')).exportKey
    },
    {
      name: 'passphrase',
      summary: 'Changes the passphrase of a key.',
      description:
        'The file with the old passphrase is replaced once the new one was opened with the new passphrase; no copy of it is kept.',
      args: ['name'],
      argValues: ['key'],
      flags: newPassphraseFlags,
      examples: ['nunet key passphrase user'],
      load: async () => (await import('../commands/key-passphrase.ts')).changePassphrase
    },
    {
      name: 'delete',
      summary: 'Removes a key for good; needs its passphrase.',
      args: ['name'],
      argValues: ['key'],
      flags: [{ name: 'keep-backup', type: 'switch', doc: 'Leaves a copy of its file beside it.' }, yes],
      examples: ['nunet key delete old'],
      load: async () => (await import('../commands/key-delete.ts')).deleteKey
    },
    {
      name: 'ledger-alias',
      summary: 'Gives names to accounts of a Ledger, for ledger:<alias>.',
      commands: [
        {
          name: 'set',
          summary: 'Adds an alias, or gives it another account.',
          args: ['alias', 'index'],
          examples: ['nunet key ledger-alias set work 5'],
          load: async () => (await import('../commands/ledger-alias.ts')).setAlias
        },
        {
          name: 'list',
          summary: 'Lists the aliases with their accounts.',
          flags: [json],
          examples: ['nunet key ledger-alias list', 'nunet key ledger-alias list --json'],
          load: async () => (await import('../commands/ledger-alias.ts')).listAliases
        },
        {
          name: 'remove',
          summary: 'Removes an alias; its context file stays.',
          args: ['alias'],
          examples: ['nunet key ledger-alias remove work'],
          load: async () => (await import('../commands/ledger-alias.ts')).removeAlias
        }
      ]
    }
  ]
}
