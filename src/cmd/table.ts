import { BEHAVIORS } from './behaviors.ts'
import type { CommandSpec, FlagSpec } from './command.ts'
import { GLOBAL_FLAGS } from './settings.ts'

function context(options: Pick<FlagSpec, 'default' | 'required'>): FlagSpec {
  return { name: 'context', short: 'c', type: 'text', value: 'name', doc: 'Key and capability context to use.', ...options }
}

const requiredContext = context({ required: true })
const userContext = context({ default: 'user' })
const force: FlagSpec = { name: 'force', short: 'f', type: 'switch', doc: 'Replaces an existing one without asking.' }

const anchorFlags: readonly FlagSpec[] = [
  requiredContext,
  { name: 'root', type: 'text', value: 'did', doc: 'Whoever has this DID may do everything.' },
  { name: 'require', type: 'text', value: 'token', doc: 'What holders of tokens on this one may do here; - reads stdin.' },
  { name: 'provide', type: 'text', value: 'token', doc: 'What this context may do elsewhere; - reads stdin.' },
  { name: 'revoke', type: 'text', value: 'token', doc: 'A revocation, from cap revoke; - reads stdin.' }
]

const anchorRules = {
  oneRequired: [['root', 'require', 'provide', 'revoke']],
  exclusive: [['root', 'require', 'provide', 'revoke']]
}

const tokenFlags: readonly FlagSpec[] = [
  requiredContext,
  { name: 'cap', type: 'list', value: 'path', doc: 'A capability such as /public.', required: true },
  { name: 'topic', short: 't', type: 'list', value: 'topic', doc: 'A topic for broadcasts.' },
  { name: 'audience', short: 'a', type: 'text', value: 'did', doc: 'Only towards this DID.' },
  { name: 'expiry', short: 'e', type: 'text', value: 'time', doc: 'Until when, as 2030-12-31 or 2030-12-31T23:59:59Z.' },
  { name: 'duration', type: 'duration', doc: 'For how long, as 720h.' },
  {
    name: 'depth',
    short: 'd',
    type: 'integer',
    value: 'number',
    doc: 'How often it may be passed on; 0 is no limit.',
    default: '0'
  }
]

const key: CommandSpec = {
  name: 'key',
  summary: 'Makes and shows keys.',
  commands: [
    {
      name: 'new',
      summary: 'Makes a key and prints its DID.',
      args: ['name'],
      flags: [force],
      examples: ['nunet key new user', 'nunet key new dms'],
      load: async () => (await import('./commands/key.ts')).newKey
    },
    {
      name: 'did',
      summary: 'Prints the DID of a key.',
      args: ['name'],
      load: async () => (await import('./commands/key.ts')).showDid
    },
    { name: 'list', summary: 'Lists the names of all keys.', load: async () => (await import('./commands/key.ts')).listKeys }
  ]
}

const cap: CommandSpec = {
  name: 'cap',
  summary: 'Says who may do what: capability contexts and tokens.',
  commands: [
    {
      name: 'new',
      summary: 'Makes an empty capability context for a key, which is made too when there is none.',
      args: ['name'],
      flags: [force],
      load: async () => (await import('./commands/cap-new.ts')).newContext
    },
    {
      name: 'anchor',
      summary: 'Adds an anchor to a context.',
      flags: anchorFlags,
      rules: anchorRules,
      examples: ['nunet cap anchor --context dms --root <user-did>', 'nunet cap anchor --context dms --provide <token>'],
      load: async () => (await import('./commands/cap-anchor.ts')).anchor
    },
    {
      name: 'grant',
      summary: 'Prints a token by which a DID may do something here.',
      args: ['did'],
      flags: tokenFlags,
      rules: { oneRequired: [['expiry', 'duration']] },
      examples: ['nunet cap grant --context user --cap /public --cap /broadcast --topic /nunet --expiry 2030-12-31 <did>'],
      load: async () => (await import('./commands/cap-token.ts')).grant
    },
    {
      name: 'delegate',
      summary: 'Prints a token that passes on what a provide anchor allows.',
      args: ['did'],
      flags: [
        ...tokenFlags,
        { name: 'auto-expire', type: 'switch', doc: 'Takes the expiry of the provide anchor.' },
        {
          name: 'self-sign',
          type: 'text',
          value: 'mode',
          doc: 'Whether a token of our own is added (also) or nothing else (only).',
          default: 'no'
        }
      ],
      rules: { oneRequired: [['expiry', 'duration', 'auto-expire']], exclusive: [['expiry', 'duration', 'auto-expire']] },
      load: async () => (await import('./commands/cap-token.ts')).delegate
    },
    {
      name: 'list',
      summary: 'Lists the anchors of a context.',
      flags: [userContext],
      load: async () => (await import('./commands/cap-anchor.ts')).list
    },
    {
      name: 'remove',
      summary: 'Removes an anchor from a context.',
      flags: anchorFlags,
      rules: anchorRules,
      load: async () => (await import('./commands/cap-anchor.ts')).remove
    },
    {
      name: 'revoke',
      summary: 'Prints the revocation of tokens that this context granted.',
      args: ['token'],
      flags: [requiredContext],
      load: async () => (await import('./commands/cap-token.ts')).revoke
    }
  ]
}

const config: CommandSpec = {
  name: 'config',
  summary: 'Shows and changes the configuration file.',
  commands: [
    {
      name: 'get',
      summary: 'Prints the configuration, or one key or section of it.',
      args: ['key'],
      optionalArgs: 1,
      load: async () => (await import('./commands/config.ts')).getValue
    },
    {
      name: 'set',
      summary: 'Sets one key in the file.',
      args: ['key', 'value'],
      examples: ['nunet config set rest.port 10000'],
      load: async () => (await import('./commands/config.ts')).setValue
    },
    {
      name: 'edit',
      summary: 'Opens the file in $EDITOR.',
      load: async () => (await import('./commands/config.ts')).edit
    }
  ]
}

const destination: FlagSpec = {
  name: 'dest',
  short: 'd',
  type: 'text',
  value: 'dest',
  doc: 'Receiver: a DID, a peer id or a handle as JSON; otherwise the own node.'
}

const lifetimeFlags: readonly FlagSpec[] = [
  { name: 'timeout', short: 't', type: 'duration', doc: 'How long to wait, as 90s or 5m.' },
  { name: 'expiry', short: 'e', type: 'text', value: 'time', doc: 'Until when to wait.' }
]

const lifetimeRule: readonly string[] = ['timeout', 'expiry']

const actorCmd: CommandSpec = {
  name: 'cmd',
  summary: 'Calls a behaviour of a node and prints the reply as JSON.',
  kindOfCommands: 'behavior',
  persistentFlags: [destination, ...lifetimeFlags],
  commands: BEHAVIORS.map(({ name, summary, flags = [], rules = {}, examples = [] }) => ({
    name,
    summary,
    flags,
    rules: { ...rules, exclusive: [...(rules.exclusive ?? []), lifetimeRule] },
    examples,
    load: async () => (await import('./commands/actor-cmd.ts')).callBehavior
  })),
  examples: ['nunet actor cmd -c dms /dms/node/peers/self']
}

const actor: CommandSpec = {
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
      load: async () => (await import('./commands/actor-message.ts')).composeMessage
    },
    {
      name: 'send',
      summary: 'Sends a message without waiting; - reads it from stdin.',
      args: ['msg'],
      load: async () => (await import('./commands/actor-message.ts')).sendMessage
    },
    {
      name: 'invoke',
      summary: 'Sends a message and prints the reply; - reads it from stdin.',
      args: ['msg'],
      load: async () => (await import('./commands/actor-message.ts')).invokeMessage
    },
    {
      name: 'broadcast',
      summary: 'Sends a message to everybody and prints the replies; - reads it from stdin.',
      args: ['msg'],
      load: async () => (await import('./commands/actor-message.ts')).broadcastMessage
    },
    actorCmd
  ]
}

/** The whole command line. Only texts and names are here: the code of a command is loaded when it is called. */
export const ROOT: CommandSpec = {
  name: 'nunet',
  summary: 'NuNet Device Management Service: lends this machine to others, and runs jobs on theirs.',
  persistentFlags: GLOBAL_FLAGS,
  commands: [
    {
      name: 'run',
      summary: 'Runs the service in the foreground.',
      flags: [context({ default: 'dms' })],
      examples: ['nunet run', 'nunet --config /etc/nunet/dms_config.json run -c dms'],
      load: async () => (await import('./commands/run.ts')).run
    },
    key,
    cap,
    actor,
    config,
    {
      name: 'validate',
      summary: 'Checks an ensemble file.',
      args: ['file'],
      load: async () => (await import('./commands/validate.ts')).validate
    },
    {
      name: 'version',
      summary: 'Prints the version.',
      load: async () => (await import('./commands/version.ts')).version
    }
  ]
}
