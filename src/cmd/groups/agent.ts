import type { CommandSpec } from '../command.ts'

/** `nunet unlock`, `nunet lock` and the process between them. */
export const agentCommands: readonly CommandSpec[] = [
  {
    name: 'unlock',
    summary: 'Lets the next commands use a key without its passphrase, for a while.',
    description:
      'The key is handed to an agent: a process that keeps it in memory, signs with it for commands of this user, and ends by itself. Deriving a key from its passphrase takes most of the time of a command, so commands are faster too. "nunet run" does not use the agent.',
    args: ['name'],
    optionalArgs: 1,
    argValues: ['key'],
    flags: [
      { name: 'for', type: 'duration', doc: 'How long, at most 24h; unlocking again begins anew.', default: '15m' },
      { name: 'list', type: 'switch', doc: 'Shows which keys are unlocked, and how long still.' },
      { name: 'json', type: 'switch', doc: 'With --list: as JSON.' }
    ],
    examples: ['nunet unlock user', 'nunet unlock user --for 8h', 'nunet unlock --list'],
    load: async () => (await import('../commands/unlock.ts')).unlock
  },
  {
    name: 'lock',
    summary: 'Makes the agent forget a key, or all.',
    args: ['name'],
    optionalArgs: 1,
    argValues: ['key'],
    examples: ['nunet lock', 'nunet lock user'],
    load: async () => (await import('../commands/lock.ts')).lock
  },
  {
    name: 'agent',
    summary: 'Runs the agent that holds unlocked keys; "nunet unlock" starts it by itself.',
    examples: ['nunet agent'],
    load: async () => (await import('../commands/agent.ts')).agent
  }
]
