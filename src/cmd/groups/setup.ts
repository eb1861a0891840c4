import type { CommandSpec, FlagSpec } from '../command.ts'
import { contextFlag } from './flags.ts'

/** Whose node is set up. */
export const nodeFlags: readonly FlagSpec[] = [
  {
    name: 'user',
    type: 'text',
    value: 'name',
    doc: 'Key and capability context that stand for you; ledger:<name> for a Ledger.',
    default: 'user'
  },
  contextFlag({ default: 'dms' }),
  { name: 'set', type: 'list', value: 'key=value', doc: 'A value for the configuration file.' }
]

/** That the DMS which answers is trusted, though its key is not here. */
export const serviceFlag: FlagSpec = {
  name: 'service',
  type: 'switch',
  doc: 'Uses the DMS that runs on this computer as a service of another user, such as that of the Debian package.'
}

/** What of the machine is lent. */
export const lendingFlags: readonly FlagSpec[] = [
  { name: 'lend', type: 'switch', doc: 'Lends half of the cores and of the memory, and a quarter of the disk.' },
  { name: 'cpu', type: 'number', value: 'cores', doc: 'Lends so many cores.' },
  { name: 'ram', type: 'text', value: 'size', doc: 'Lends so much memory: GiB, or text such as 512MiB.' },
  { name: 'disk', type: 'text', value: 'size', doc: 'Lends so much disk: GiB, or text such as 512MiB.' }
]

/** What must hold between {@link lendingFlags}. */
export const lendingRules = { together: [['cpu', 'ram', 'disk']], exclusive: [['lend', 'cpu']] } as const

/** `nunet setup`. */
export const setup: CommandSpec = {
  name: 'setup',
  summary: 'Walks you through what a node needs: configuration, keys, capabilities, a network, lending.',
  description:
    'Does only what is missing, so that it can be run again at any time, also after an interruption. With --yes it asks nothing: passphrases come from their usual sources, other answers from flags.',
  flags: [
    { name: 'yes', short: 'y', type: 'switch', doc: 'Asks nothing; takes the usual answers where no flag gives another.' },
    ...nodeFlags,
    { name: 'organization', type: 'text', value: 'did', doc: 'Who runs the network to join; NuNet when nothing else is said.' },
    { name: 'no-network', type: 'switch', doc: 'Joins none.' },
    {
      name: 'expiry',
      short: 'e',
      type: 'text',
      value: 'time',
      doc: 'How long its members may greet this machine; a year when nothing is said.'
    },
    { name: 'allow-jobs', type: 'switch', doc: 'Members of the network may also run jobs here.' },
    { name: 'token', type: 'text', value: 'token', doc: 'What the organisation gave you; - reads stdin.' },
    ...lendingFlags,
    { name: 'json', type: 'switch', doc: 'Prints the steps as JSON.' }
  ],
  rules: {
    exclusive: [['organization', 'no-network'], ['token', 'no-network'], ...lendingRules.exclusive],
    together: lendingRules.together
  },
  examples: ['nunet setup', 'nunet setup --yes --no-network', 'nunet setup --yes --organization <did> --token - < token.json'],
  load: async () => (await import('../commands/setup.ts')).setup
}
