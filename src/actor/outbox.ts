import { type AbortOptions, type Clock, encodeBase64, type Millis, millis, seconds, toNanos, utf8 } from '../base/index.ts'
import { type ActorId, type Did, type KeyPair, parseActorId, parseDid } from '../identity/index.ts'
import { type CapabilityContext, encodeTokenList, type Token } from '../ucan/index.ts'
import type { Deliver } from './delivery.ts'
import { type Envelope, encodeEnvelope, encodeWith, handleText, signFrame } from './envelope.ts'
import { BadEnvelopeError } from './errors.ts'
import { EMPTY_HANDLE, type Handle } from './handle.ts'
import type { MessageTransport } from './transport.ts'

/** Life of a message when nobody says otherwise (B §2.1). */
export const DEFAULT_TIMEOUT = seconds(30)

/** Under which an invocation takes its answer (B §7.4); a random number follows. */
export const REPLY_PATH = '/dms/actor/replyto/'

const NO_BYTES = new Uint8Array()

/** A message before it is sealed. */
export interface Draft {
  readonly to: Handle
  readonly behavior: string
  readonly payload: Uint8Array
  readonly timeout?: Millis
  /** UNIX nanoseconds; replies keep the expiry of their request. */
  readonly expiresAt?: bigint
  readonly replyTo?: string
  readonly topic?: string
  /** Tokens of the request that this message answers. */
  readonly received?: readonly Token[]
}

/** A list of tokens as it travels. */
interface TokenList {
  readonly bytes: Uint8Array
  /** Their base64. */
  readonly text: string
}

const NO_TOKENS: TokenList = { bytes: NO_BYTES, text: '' }

/** Seals and sends the messages of one actor. */
export interface Outbox {
  /** Tokens attached, nonce set, signed with the actor's key (B §3.4). */
  seal(draft: Draft, options?: AbortOptions): Promise<Envelope>
  post(envelope: Envelope, options?: AbortOptions): Promise<void>
}

/** What an outbox is made of. */
export interface OutboxOptions {
  readonly handle: Handle
  readonly key: KeyPair
  readonly context: CapabilityContext
  readonly transport: MessageTransport
  readonly deliver: Deliver
  readonly clock: Clock
  readonly nextNonce: () => bigint
}

/** Creates the outbox of an actor. */
export function createOutbox(options: OutboxOptions): Outbox {
  const { handle, key, transport, deliver, clock, nextNonce } = options
  const textOf = remembered(handleText)
  const destinationOf = remembered(readDestination)
  // Tokens are presented again for a while, as the very same list.
  const encodeList = remembered(encodeTokens)
  const frames = new WeakMap<Envelope, Uint8Array>()

  return {
    async seal(draft, abort) {
      const expiresAt = draft.expiresAt ?? toNanos(millis(clock.now() + (draft.timeout ?? DEFAULT_TIMEOUT)))
      const tokens = await presentTokens({ ...options, destinationOf }, { ...draft, expiresAt }, abort)
      const list = encodeList(tokens)
      const unsigned: Envelope = {
        to: draft.topic === undefined ? draft.to : EMPTY_HANDLE,
        behavior: draft.behavior,
        from: handle,
        nonce: nextNonce(),
        expiresAt,
        replyTo: draft.replyTo ?? '',
        topic: draft.topic ?? '',
        payload: draft.payload,
        capabilities: list.bytes,
        signature: NO_BYTES
      }
      const { frame, signature } = await signFrame(encodeWith(unsigned, { textOf, capabilities: list.text }), (message) =>
        key.sign(message, abort)
      )
      const envelope = { ...unsigned, signature }
      frames.set(envelope, frame)
      return envelope
    },
    async post(envelope, abort) {
      const frame = frames.get(envelope) ?? utf8(encodeEnvelope(envelope))
      if (envelope.topic !== '') await transport.publish(envelope.topic, frame)
      else await deliver(envelope, frame, abort)
    }
  }
}

interface PresentOptions extends OutboxOptions {
  readonly destinationOf: (to: Handle) => Destination
}

async function presentTokens(
  { handle, key, context, clock, transport, destinationOf }: PresentOptions,
  draft: Draft & { readonly expiresAt: bigint },
  abort?: AbortOptions
): Promise<readonly Token[]> {
  const now = clock.now()
  const { behavior, expiresAt, topic, to } = draft
  if (topic !== undefined) {
    return context.presentBroadcast({ subject: key.actorId, topic, expiresAt, capabilities: [behavior], now }, abort)
  }
  if (to.id === handle.id) return []
  // Whoever awaits an answer on such a path takes it from nobody but the actor asked, and needs no tokens for that.
  const isKin = transport.speaksKept?.(to.host) === true
  if (isKin && behavior.startsWith(REPLY_PATH)) return []
  const { replyTo = '' } = draft
  const mayGrant = replyTo !== '' && !(isKin && replyTo.startsWith(REPLY_PATH))
  const { target, audience } = destinationOf(to)
  return context.present(
    {
      target,
      subject: key.actorId,
      audience,
      expiresAt,
      invoke: [behavior],
      now,
      ...(mayGrant ? { delegate: [replyTo] } : {}),
      ...(draft.received === undefined ? {} : { received: draft.received })
    },
    abort
  )
}

/** What tokens name of an actor that is written to. */
interface Destination {
  readonly target: Did
  readonly audience: ActorId
}

/** @throws BadEnvelopeError for a handle that no token can name. */
function readDestination(to: Handle): Destination {
  const target = parseDid(to.did)
  const audience = parseActorId(to.id)
  if (!target.ok || !audience.ok) throw new BadEnvelopeError(`the destination ${to.did} has no usable did and id`)
  return { target: target.value, audience: audience.value }
}

function encodeTokens(tokens: readonly Token[]): TokenList {
  if (tokens.length === 0) return NO_TOKENS
  const bytes = utf8(encodeTokenList(tokens))
  return { bytes, text: encodeBase64(bytes) }
}

/** Does the same as `work`, but once for each object, as long as somebody has it. */
function remembered<From extends object, To>(work: (from: From) => To): (from: From) => To {
  const known = new WeakMap<From, To>()
  return (from) => {
    const result = known.get(from) ?? work(from)
    known.set(from, result)
    return result
  }
}
