import type { CommandSpec } from '../command.ts'
import { userContext } from './flags.ts'

/** `nunet events`. */
export const events: CommandSpec = {
  name: 'events',
  summary: 'Shows what happened on the node: peers, deployments, allocations, executors and the offer.',
  description:
    'The node keeps the last 1024 events since its start. With --follow, the command shows what happens until it is interrupted, also ' +
    'across restarts of the node.',
  flags: [
    userContext,
    { name: 'follow', short: 'f', type: 'switch', doc: 'Goes on and shows what happens.' },
    { name: 'after', type: 'text', value: 'id', doc: 'Only what happened after this event.' },
    { name: 'json', type: 'switch', doc: 'Prints each event as a line of JSON.' }
  ],
  examples: ['nunet events', 'nunet events --follow', 'nunet events --follow --json | jq .status'],
  load: async () => (await import('../commands/events.ts')).events
}
