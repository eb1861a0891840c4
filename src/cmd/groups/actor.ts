import { BEHAVIORS } from '../behaviors.ts'
import type { CommandSpec, FlagSpec } from '../command.ts'
import { userContext } from './flags.ts'

/** To whom a message goes. */
export const destination: FlagSpec = {
  name: 'dest',
  short: 'd',
  type: 'text',
  value: 'dest',
  doc: 'Receiver: a DID, a peer id or a handle as JSON; otherwise the own node.'
}

/** How long a message lives. */
export const lifetimeFlags: readonly FlagSpec[] = [
  { name: 'timeout', short: 't', type: 'duration', doc: 'How long to wait, as 90s or 5m.' },
  { name: 'expiry', short: 'e', type: 'text', value: 'time', doc: 'Until when to wait.' }
]

/** At most one of {@link lifetimeFlags}. */
export const lifetimeRule: readonly string[] = ['timeout', 'expiry']

const actorCmd: CommandSpec = {
  name: 'cmd',
  summary: 'Calls a behaviour of a node and prints the reply as JSON.',
  description:
    'Speaks as the context of -c. Without --dest the own node is asked, which must run. Exits with 0 when a question was answered, whatever the answer; a change that was refused is an error.',
  kindOfCommands: 'behavior',
  persistentFlags: [destination, ...lifetimeFlags],
  commands: BEHAVIORS.map(({ name, summary, flags = [], rules = {}, examples = [`nunet actor cmd -c dms ${name}`] }) => ({
    name,
    summary,
    flags,
    rules: { ...rules, exclusive: [...(rules.exclusive ?? []), lifetimeRule] },
    examples,
    load: async () => (await import('../commands/actor-cmd.ts')).callBehavior
  })),
  examples: ['nunet actor cmd -c dms /dms/node/peers/self', 'nunet actor cmd /public/hello --dest <did> -t 10s']
}

/** `nunet actor …`. */
export const actor: CommandSpec = {
  name: 'actor',
  summary: 'Speaks to the actors of nodes.',
  persistentFlags: [userContext],
  commands: [
    {
      name: 'msg',
      summary: 'Prints a signed message, for send, invoke or broadcast.',
      args: ['behavior', 'payload'],
      flags: [
        destination,
        ...lifetimeFlags,
        { name: 'broadcast', short: 'b', type: 'text', value: 'topic', doc: 'Makes it a broadcast on this topic.' },
        { name: 'invoke', short: 'i', type: 'switch', doc: 'Asks for a reply.' }
      ],
      rules: { exclusive: [['dest', 'broadcast'], ['invoke', 'broadcast'], lifetimeRule] },
      examples: ['nunet actor msg -c dms --invoke /dms/node/peers/self {}'],
      load: async () => (await import('../commands/actor-message.ts')).composeMessage
    },
    {
      name: 'send',
      summary: 'Sends a message without waiting; - reads it from stdin.',
      args: ['msg'],
      examples: ['nunet actor send - < message.json'],
      load: async () => (await import('../commands/actor-message.ts')).sendMessage
    },
    {
      name: 'invoke',
      summary: 'Sends a message and prints the reply; - reads it from stdin.',
      args: ['msg'],
      examples: ['nunet actor invoke - < message.json'],
      load: async () => (await import('../commands/actor-message.ts')).invokeMessage
    },
    {
      name: 'broadcast',
      summary: 'Sends a message to everybody and prints the replies; - reads it from stdin.',
      args: ['msg'],
      examples: ['nunet actor broadcast - < message.json'],
      load: async () => (await import('../commands/actor-message.ts')).broadcastMessage
    },
    actorCmd
  ]
}
