import type { JsonValue } from '../../base/index.ts'
import { handle } from '../common.ts'
import { exampleOf } from '../example.ts'
import { refTo, type Schema } from './schemas.ts'

const base64: Schema = { type: 'string', contentEncoding: 'base64' }

const unsigned: Schema = { type: 'integer', minimum: 0, maximum: 18_446_744_073_709_551_615n }

/** An envelope as it travels (B §2.1). */
export const envelopeSchema: Schema = {
  description:
    'A sealed message. `sig` is the Ed25519 signature of the key in `from.id` over `dms:msg:` and the JSON without `sig`, its members in this order. Integers have 64 bits: do not read them as floating point.',
  type: 'object',
  properties: {
    to: { ...refTo('Address'), description: 'The actor that is addressed; empty members for a broadcast.' },
    be: { type: 'string', maxLength: 512, description: 'The behaviour.' },
    from: {
      ...refTo('Address'),
      description: 'The sender; a client of the node has the host of the node and an inbox `user-<name>`.'
    },
    nonce: { ...unsigned, description: 'Never used twice by the same key.' },
    opt: {
      type: 'object',
      properties: {
        exp: { ...unsigned, description: 'When the message expires, nanoseconds since 1970; 24 hours ahead at most.' },
        cont: { type: 'string', maxLength: 512, description: 'The behaviour that a reply invokes at the sender.' },
        topic: { type: 'string', maxLength: 256, description: 'The topic of a broadcast.' }
      },
      required: ['exp']
    },
    msg: {
      type: ['string', 'null'],
      contentEncoding: 'base64',
      contentMediaType: 'application/json',
      description: 'The payload.'
    },
    cap: { ...base64, contentMediaType: 'application/json', description: 'The tokens that prove what the sender may do.' },
    sig: base64
  },
  required: ['to', 'be', 'from', 'nonce', 'opt', 'msg']
}

/** A handle of which every member may be missing, as in a broadcast. */
export const addressSchema: Schema = {
  type: 'object',
  properties: {
    id: { type: 'object', properties: { pub: { type: 'string' } } },
    did: { type: 'object', properties: { uri: { type: 'string' } } },
    addr: { type: 'object', properties: { host: { type: 'string' }, inbox: { type: 'string' } } }
  }
}

/** An envelope for documentation, which nobody signed. */
export function exampleEnvelope(kind: 'invoke' | 'broadcast' | 'send' | 'events'): JsonValue {
  const root = exampleOf(handle.shape, 'handle') as Readonly<Record<string, JsonValue>>
  const host = (root['addr'] as Readonly<Record<string, JsonValue>>)['host'] ?? ''
  const from = { ...root, addr: { host, inbox: 'user-7350195283746501928' } }
  const { be, opt } = EXAMPLES[kind]
  return {
    to: kind === 'broadcast' ? { id: { pub: '' }, did: {}, addr: {} } : root,
    be,
    from,
    nonce: 1_767_225_600_000_000_001n,
    opt: { exp: 1_767_225_630_000_000_000n, ...opt },
    msg: 'e30=',
    cap: 'eyJ0b2siOltdfQ==',
    sig: 'AAAA'
  }
}

const EXAMPLES = {
  send: { be: '/public/hello', opt: {} },
  invoke: { be: '/dms/node/peers/self', opt: { cont: '/private/user/7350195283746501928' } },
  broadcast: { be: '/broadcast/hello', opt: { cont: '/public/user/7350195283746501928', topic: '/nunet/hello' } },
  events: { be: '/dms/node/events', opt: { cont: '/private/user/7350195283746501928' } }
} as const
