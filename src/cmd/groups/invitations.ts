import type { CommandSpec } from '../command.ts'
import { userContext } from './flags.ts'
import { lendingFlags, lendingRules, nodeFlags, serviceFlag } from './setup.ts'

const json = { name: 'json', type: 'switch', doc: 'Prints the steps as JSON.' } as const

/** `nunet up`, `down`, `invite` and `join`: from nothing to a job on a stranger's machine. */
export const invitationCommands: readonly CommandSpec[] = [
  {
    name: 'up',
    summary: 'Sets up what is missing and starts the service in the background.',
    description:
      'Makes keys and capability contexts that are not there yet, starts the DMS unless it runs, and lends a part of the machine when a flag says so. Asks nothing but a passphrase. After a restart of the machine run it again, or install a service (docs/guides/first-node.md).',
    flags: [...nodeFlags, serviceFlag, ...lendingFlags, json],
    rules: { ...lendingRules, exclusive: [...lendingRules.exclusive, ['service', 'set']] },
    examples: ['nunet up', 'nunet up --lend', 'nunet up --cpu 2 --ram 4 --disk 20'],
    load: async () => (await import('../commands/up.ts')).up
  },
  {
    name: 'down',
    summary: 'Ends the service of this configuration; jobs go on.',
    examples: ['nunet down'],
    load: async () => (await import('../commands/up.ts')).down
  },
  {
    name: 'invite',
    summary: 'Prints an invitation to run jobs on this machine, for somebody who takes it with nunet join.',
    description:
      'One line of text with the right to ask this machine for bids and to run jobs on it, and its addresses. Whoever has the text can use it until it ends, unless --to names one DID. Neither side needs an account, and the inviting machine need not be asked when it is taken.',
    flags: [
      userContext,
      { name: 'to', type: 'text', value: 'did', doc: 'Only for this DID; then the text is no secret.' },
      {
        name: 'duration',
        type: 'duration',
        doc: 'How long it holds, and all that is made of it.',
        default: '24h'
      },
      { name: 'expiry', short: 'e', type: 'text', value: 'time', doc: 'Until when it holds instead, as 2030-12-31.' },
      { name: 'note', type: 'text', value: 'text', doc: 'For whom it is, in your words; stays here.' },
      {
        name: 'wait',
        type: 'duration',
        doc: 'How long to wait until this machine knows how others reach it; 20s when left out.'
      },
      serviceFlag,
      { name: 'list', type: 'switch', doc: 'Lists the invitations that can be used still.' },
      { name: 'revoke', type: 'text', value: 'id', doc: 'Takes an invitation back, and everything that was made of it.' },
      {
        name: 'machine',
        type: 'text',
        value: 'name',
        doc: 'The context of the DMS.',
        default: 'dms',
        values: 'context'
      },
      { name: 'json', type: 'switch', doc: 'Prints JSON.' }
    ],
    rules: {
      exclusive: [
        ['duration', 'expiry'],
        ['list', 'revoke'],
        ['list', 'to'],
        ['revoke', 'to']
      ]
    },
    examples: [
      'nunet invite',
      'nunet invite --to <did> --duration 720h',
      'nunet invite --list',
      'nunet invite --revoke 3f9c01aa'
    ],
    load: async () => (await import('../commands/invite.ts')).invite
  },
  {
    name: 'join',
    summary: 'Takes an invitation: afterwards jobs of yours can run on the inviting machine.',
    description:
      'The invitation is the text, a file with it, - for stdin, or typed when left out; other users of this machine can see what stands on a command line. Shows what it would do and asks, then does what nunet up does, keeps the rights, and connects. The inviting machine may send bids to yours, and nothing else.',
    args: ['invitation'],
    optionalArgs: 1,
    argValues: ['file'],
    flags: [{ name: 'yes', short: 'y', type: 'switch', doc: 'Does it without asking.' }, ...nodeFlags, serviceFlag, json],
    rules: { exclusive: [['service', 'set']] },
    examples: ['nunet join <invitation>', 'nunet join --yes - < invitation.txt'],
    load: async () => (await import('../commands/join.ts')).join
  }
]
