import { type Envelope, encodeEnvelope, type Handle, handleOf, signedBytes } from '../../src/actor/index.ts'
import { millis, systemClock, toNanos, utf8 } from '../../src/base/index.ts'
import { type KeyPair, parseActorId, parseDid } from '../../src/identity/index.ts'
import { type CapabilityContext, encodeTokenList, type Token } from '../../src/ucan/index.ts'

/** Who speaks: a key, and the context that gives its tokens. */
export interface Speaker {
  readonly key: KeyPair
  readonly context: CapabilityContext
}

/** What a speaker says to the node. */
export interface Words {
  readonly to: Handle
  readonly behavior: string
  /** Makes it a broadcast. */
  readonly topic?: string
  /** Whether it asks for a reply. */
  readonly asks?: boolean
}

const LIFE = millis(30_000)

let nonce = toNanos(systemClock.now())

/** A correctly signed envelope with whatever tokens the context of its speaker can give. */
export async function sealedFrame({ key, context }: Speaker, words: Words): Promise<Buffer> {
  const { to, behavior, topic = '', asks = false } = words
  const now = systemClock.now()
  const terms = { subject: key.actorId, expiresAt: toNanos(millis(now + LIFE)), now }
  nonce += 1n
  const unsigned: Envelope = {
    to,
    behavior,
    from: handleOf(key, context.did, key.peerId, 'root'),
    nonce,
    expiresAt: terms.expiresAt,
    replyTo: asks ? `/private/user/${nonce}` : '',
    topic,
    payload: new Uint8Array(),
    capabilities: utf8(encodeTokenList(await tokens(context, terms, words))),
    signature: new Uint8Array()
  }
  return Buffer.from(encodeEnvelope({ ...unsigned, signature: await key.sign(signedBytes(unsigned)) }))
}

type Terms = Pick<Parameters<CapabilityContext['present']>[0], 'subject' | 'expiresAt' | 'now'>

function tokens(context: CapabilityContext, terms: Terms, { to, behavior, topic }: Words): Promise<readonly Token[]> {
  if (topic !== undefined) return context.presentBroadcast({ ...terms, topic, capabilities: [behavior] })
  const [target, audience] = [parseDid(to.did), parseActorId(to.id)]
  if (!target.ok || !audience.ok) throw new Error('the node has no usable handle')
  return context.present({ ...terms, target: target.value, audience: audience.value, invoke: [behavior] })
}
