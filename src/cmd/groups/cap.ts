import type { CommandSpec, FlagSpec } from '../command.ts'
import { contextFlag, force, json, userContext } from './flags.ts'

const requiredContext = contextFlag({ required: true })

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

/** `nunet cap …`. */
export const cap: CommandSpec = {
  name: 'cap',
  summary: 'Says who may do what: capability contexts and tokens.',
  commands: [
    {
      name: 'new',
      summary: 'Makes an empty capability context for a key, which is made too when there is none, or for a wallet.',
      args: ['name'],
      argValues: ['key'],
      flags: [force],
      examples: ['nunet cap new user', 'nunet cap new ledger:user', 'nunet cap new dms --force'],
      load: async () => (await import('../commands/cap-new.ts')).newContext
    },
    {
      name: 'anchor',
      summary: 'Adds an anchor to a context.',
      flags: anchorFlags,
      rules: anchorRules,
      examples: ['nunet cap anchor --context dms --root <user-did>', 'nunet cap anchor --context dms --provide <token>'],
      load: async () => (await import('../commands/cap-anchor.ts')).anchor
    },
    {
      name: 'grant',
      summary: 'Prints a token by which a DID may do something here.',
      args: ['did'],
      flags: tokenFlags,
      rules: { oneRequired: [['expiry', 'duration']] },
      examples: ['nunet cap grant --context user --cap /public --cap /broadcast --topic /nunet --expiry 2030-12-31 <did>'],
      load: async () => (await import('../commands/cap-token.ts')).grant
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
          default: 'no',
          values: ['no', 'also', 'only']
        }
      ],
      rules: { oneRequired: [['expiry', 'duration', 'auto-expire']], exclusive: [['expiry', 'duration', 'auto-expire']] },
      examples: [
        'nunet cap delegate --context user --cap /public --cap /broadcast --topic /nunet --expiry 2030-12-31 <dms-did>',
        'nunet cap delegate --context user --cap /dms/deployment --auto-expire <dms-did>'
      ],
      load: async () => (await import('../commands/cap-token.ts')).delegate
    },
    {
      name: 'list',
      summary: 'Lists the anchors of a context.',
      description: 'Needs no key. On stderr it says which of them end within a week.',
      flags: [
        userContext,
        json,
        { name: 'unsigned-ok', type: 'switch', doc: 'Lists a file too whose signature does not fit what is in it.' }
      ],
      examples: ['nunet cap list --context dms', 'nunet cap list --context dms --json'],
      load: async () => (await import('../commands/cap-anchor.ts')).list
    },
    {
      name: 'inspect',
      summary: 'Takes tokens apart: who gave what to whom, until when, and which link breaks.',
      description:
        'The token is JSON, a file with it, a context file, a message, or - for stdin. Needs no key. What the contexts of this user have revoked counts as revoked.',
      args: ['token'],
      flags: [json, { name: 'check', type: 'switch', doc: 'Fails when a token does not hold.' }],
      examples: ['nunet cap inspect token.json', 'nunet cap inspect - < token.json', 'nunet cap inspect ~/.nunet/cap/dms.cap'],
      load: async () => (await import('../commands/cap-inspect.ts')).inspect
    },
    {
      name: 'explain',
      summary: 'Says whether a call would be allowed, by which chain, or which link is missing.',
      description:
        'With --to the context calls that DID; with --from that DID calls the context; with --token alone its holder does. Contexts of this user directory are looked into on both sides; they need no key.',
      args: ['behavior'],
      flags: [
        requiredContext,
        { name: 'to', type: 'text', value: 'did', doc: 'Whom the context calls.' },
        { name: 'from', type: 'text', value: 'did', doc: 'Who calls the context.' },
        { name: 'topic', short: 't', type: 'text', value: 'topic', doc: 'The topic, when it is a broadcast.' },
        { name: 'token', type: 'text', value: 'token', doc: 'What the caller holds besides; a file or - for stdin too.' },
        { name: 'at', type: 'text', value: 'time', doc: 'Another time than now, as 2030-12-31.' },
        json
      ],
      rules: { exclusive: [['to', 'from']] },
      examples: [
        'nunet cap explain --context dms --to <did> /public/hello',
        'nunet cap explain --context dms --from <did> /dms/deployment/request',
        'nunet cap explain --context dms --token token.json /public/hello'
      ],
      load: async () => (await import('../commands/cap-explain.ts')).explain
    },
    {
      name: 'seal',
      summary: 'Signs a context file as it is, so that it counts again.',
      description: 'For files that were changed by hand or made by the Go program. Shows what is in the file, and asks.',
      flags: [requiredContext, { name: 'yes', short: 'y', type: 'switch', doc: 'Does it without asking.' }],
      examples: ['nunet cap seal --context dms'],
      load: async () => (await import('../commands/cap-seal.ts')).seal
    },
    {
      name: 'remove',
      summary: 'Removes an anchor from a context.',
      flags: anchorFlags,
      rules: anchorRules,
      examples: ['nunet cap remove -c dms --root <user-did>', 'nunet cap remove -c dms --provide - < token.json'],
      load: async () => (await import('../commands/cap-anchor.ts')).remove
    },
    {
      name: 'revoke',
      summary: 'Prints the revocation of tokens that this context issued.',
      args: ['token'],
      optionalArgs: 1,
      flags: [
        requiredContext,
        { name: 'all-to', type: 'text', value: 'did', doc: 'All tokens for this DID that cap issued lists, instead of a token.' },
        { name: 'anchor', type: 'switch', doc: 'Anchors the revocation in the context too.' }
      ],
      examples: ['nunet cap revoke --context user --anchor <token>', 'nunet cap revoke --context user --anchor --all-to <did>'],
      load: async () => (await import('../commands/cap-revoke.ts')).revoke
    },
    {
      name: 'issued',
      summary: 'Lists the tokens that this context issued: when, until when, to whom, what, where.',
      flags: [requiredContext, json],
      examples: ['nunet cap issued --context user', 'nunet cap issued --context user --json'],
      load: async () => (await import('../commands/cap-issued.ts')).listIssued
    },
    {
      name: 'broadcast',
      summary: 'Has the running DMS tell all nodes of revocations; prints how many.',
      flags: [
        requiredContext,
        {
          name: 'token',
          type: 'text',
          value: 'token',
          doc: 'The revocation, from cap revoke; - reads stdin. Without it all that are anchored in the context.'
        }
      ],
      examples: ['nunet cap broadcast --context user', 'nunet cap broadcast --context user --token - < revocation.json'],
      load: async () => (await import('../commands/cap-revoke.ts')).broadcast
    },
    {
      name: 'help',
      summary: 'Lists what can be granted: the behaviours, and who usually holds them.',
      examples: ['nunet cap help'],
      load: async () => (await import('../commands/cap-help.ts')).listCapabilities
    }
  ]
}
