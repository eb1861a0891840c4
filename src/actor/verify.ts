import {
  err,
  fromNanos,
  fromUtf8,
  hours,
  type Issue,
  type JsonValue,
  type Millis,
  ok,
  parseJson,
  type Result,
  toNanos
} from '../base/index.ts'
import { type ActorId, type Did, didOfActorId, parseActorId } from '../identity/index.ts'
import type { Authorization, CapabilityContext, Denial, Token } from '../ucan/index.ts'
import type { VerifiedEnvelope } from './behavior.ts'
import { type Envelope, isBroadcast, signedBytes } from './envelope.ts'
import { type Handle, isClientInbox } from './handle.ts'
import { type ActorKey, type EnvelopeReader, type ReadEnvelope, readAny } from './reader.ts'
import type { MessageSource, ReplayRefusal, ReplayWindow } from './replay.ts'

/**
 * Longest accepted remaining life of a message.
 *
 * A day: longer than any deployment request, short enough that the replay window stays bounded (B §11.1, 1).
 */
export const MAX_LIFETIME = hours(24)

const MAX_LIFETIME_NANOS = toNanos(MAX_LIFETIME)

/** Why a frame was refused; each is counted under this name. */
export type RejectionReason =
  | 'malformed'
  | 'not-addressed-here'
  | 'wrong-host'
  | 'expired'
  | 'expiry-too-far'
  | 'replayed'
  | 'bad-signature'
  | 'sender-too-fast'
  | 'bad-tokens'
  | 'not-authorized'
  | 'overloaded'
  | 'unknown-history'
  | 'wrong-topic'

/** A refused frame. `envelope` is there when the sender proved who it is, `denial` when it may not do what it asked for. */
export interface Rejection {
  readonly reason: RejectionReason
  readonly message: string
  readonly envelope?: Envelope
  readonly tokens?: readonly Token[]
  readonly denial?: Denial
}

/** What verification needs to know of its surroundings. */
export interface VerifyEnvironment {
  readonly own: Handle
  readonly ownId: ActorId
  readonly context: CapabilityContext
  readonly replays: ReplayWindow
  readonly verifier: SignatureVerifier
  /** Remembers what envelopes have in common; default: each is read on its own. */
  readonly reader?: EnvelopeReader
  /**
   * Whether an envelope with a good signature is the answer that its sender was asked for: such a one needs no tokens. Default:
   * none is.
   */
  readonly isAwaited?: (envelope: Envelope) => boolean
  /** The capabilities that a behaviour asks for; any one is enough. */
  readonly capabilitiesOf: (behavior: string) => readonly string[]
  /** Asked once the sender has proven its key: whether its tokens may be looked at. Default always. */
  readonly admits?: (senderId: string) => boolean
}

/** Checks a signature by the key inside an actor id. */
export interface SignatureVerifier {
  verifyByActorId(id: ActorId, message: Uint8Array, signature: Uint8Array): boolean
}

/**
 * Everything that must hold before a frame may have any effect, cheapest first: form, addressee, connection, expiry, replay,
 * outer signature, then token chains (B §3.2, §11.1; A, W3–W4).
 *
 * @param peer - The authenticated peer id of the connection; `undefined` for broadcasts, which travel over others.
 */
export function verifyFrame(
  frame: Uint8Array,
  peer: string | undefined,
  now: Millis,
  environment: VerifyEnvironment
): Result<{ readonly envelope: Envelope; readonly verified: VerifiedEnvelope }, Rejection> {
  const read = environment.reader?.read(frame) ?? readAny(frame)
  if (!read.ok) return err({ reason: 'malformed', message: read.error.message })
  const { envelope } = read.value
  const misplaced = checkPlace(envelope, peer, environment.own)
  if (misplaced !== undefined) return err(misplaced)
  const untimely = checkTime(envelope, now)
  if (untimely !== undefined) return err(untimely)
  if (environment.replays.has(envelope.from.id, envelope.nonce)) {
    return err({ reason: 'replayed', message: `message ${envelope.nonce} was accepted before` })
  }
  const sender = read.value.sender()
  if (!sender.ok || !environment.verifier.verifyByActorId(sender.value.id, read.value.signed(), envelope.signature)) {
    return err({ reason: 'bad-signature', message: 'the signature does not belong to the sender and the content' })
  }
  if (environment.admits?.(envelope.from.id) === false) {
    return err({ reason: 'sender-too-fast', message: 'too many messages of this key proved no right' })
  }
  const accepted = authorizeEnvelope(read.value, sender.value.did, now, environment)
  if (accepted.ok) read.value.remember()
  return accepted
}

const REPLAY_REFUSALS: Readonly<Record<ReplayRefusal, string>> = {
  overloaded: 'too many messages of this caller are remembered; try again later',
  'unknown-history': 'this node came back a moment ago and cannot tell whether it had this message before; send it again'
}

function checkPlace(envelope: Envelope, peer: string | undefined, own: Handle): Rejection | undefined {
  if (peer === undefined) {
    return isBroadcast(envelope) ? undefined : { reason: 'not-addressed-here', message: 'not a broadcast' }
  }
  if (envelope.to.id !== own.id || own.id === '') {
    return { reason: 'not-addressed-here', message: `addressed to ${envelope.to.id === '' ? 'nobody' : envelope.to.id}` }
  }
  if (envelope.from.host !== peer) {
    return { reason: 'wrong-host', message: `claims host ${envelope.from.host}, came from ${peer}` }
  }
  return undefined
}

function checkTime(envelope: Envelope, now: Millis): Rejection | undefined {
  const nowNanos = toNanos(now)
  if (nowNanos > envelope.expiresAt) return { reason: 'expired', message: 'the message has expired' }
  if (envelope.expiresAt > nowNanos + MAX_LIFETIME_NANOS) {
    return { reason: 'expiry-too-far', message: 'the message would stay valid for more than 24 hours' }
  }
  return undefined
}

/** Whether the envelope was signed with the key of `from.id` (B §2.3). */
export function hasValidSignature(envelope: Envelope, verifier: SignatureVerifier): boolean {
  const id = parseActorId(envelope.from.id)
  return id.ok && verifier.verifyByActorId(id.value, signedBytes(envelope), envelope.signature)
}

function authorizeEnvelope(
  read: ReadEnvelope,
  sender: Did,
  now: Millis,
  environment: VerifyEnvironment
): Result<{ readonly envelope: Envelope; readonly verified: VerifiedEnvelope }, Rejection> {
  const { own, replays } = environment
  const { envelope } = read
  let authorization: Authorization | undefined
  let tokens: readonly Token[] = []
  const isOwn = envelope.from.id === own.id && !isBroadcast(envelope)
  const isAnswer = !isOwn && !isBroadcast(envelope) && environment.isAwaited?.(envelope) === true
  if (!isOwn && !isAnswer) {
    const parsed = read.tokens()
    if (!parsed.ok) return err({ reason: 'bad-tokens', message: `${parsed.error.path} ${parsed.error.message}`.trim() })
    tokens = parsed.value
    const allowed = authorize(read, { sender, tokens, now }, environment)
    if (!allowed.ok) {
      const { message } = allowed.error
      return err({ reason: 'not-authorized', message, envelope, tokens, denial: allowed.error })
    }
    authorization = allowed.value
  }
  const caller = authorization?.origin ?? (isAnswer ? sender : own.did)
  const { nonce, expiresAt } = envelope
  const isOwner = caller === own.did || environment.context.isRoot(caller)
  const accepted = { caller, senderId: envelope.from.id, nonce, expiresAt, now: toNanos(now) }
  const refused = replays.add({ ...accepted, source: sourceOf(envelope, own), isOwner })
  if (refused !== undefined) return err({ reason: refused, message: REPLAY_REFUSALS[refused], envelope, tokens })
  return ok({ envelope, verified: seal(envelope, authorization, tokens) })
}

function sourceOf({ from }: Envelope, own: Handle): MessageSource {
  if (from.host !== own.host) return 'remote'
  return isClientInbox(from.inbox) ? 'client' : 'internal'
}

function authorize(
  { envelope, receiver }: ReadEnvelope,
  { sender, tokens, now }: { readonly sender: Did; readonly tokens: readonly Token[]; readonly now: Millis },
  { context, ownId, capabilitiesOf }: VerifyEnvironment
): Result<Authorization, Denial> {
  const audience = isBroadcast(envelope) ? didOfActorId(ownId) : didOfReceiver(receiver())
  if (!audience.ok) return err({ reason: 'wrong-audience', message: 'the receiver has no usable key', known: false })
  return context.authorize(
    {
      subject: sender,
      audience: audience.value,
      capabilities: capabilitiesOf(envelope.behavior),
      tokens,
      ...(isBroadcast(envelope) ? { topic: envelope.topic } : {})
    },
    now
  )
}

function didOfReceiver(receiver: Result<ActorKey, Issue>): Result<Did, Issue> {
  return receiver.ok ? ok(receiver.value.did) : receiver
}

function seal(envelope: Envelope, authorization: Authorization | undefined, tokens: readonly Token[]): VerifiedEnvelope {
  const { from, to, behavior, replyTo } = envelope
  const checked = {
    from,
    to,
    behavior,
    replyTo,
    expiresAt: fromNanos(envelope.expiresAt),
    isBroadcast: isBroadcast(envelope),
    authorization,
    tokens
  }
  return checked as VerifiedEnvelope
}

/** Reads a payload: missing and empty payloads are `null` (B §7). */
export function parsePayload(payload: Uint8Array | null): Result<JsonValue, Issue> {
  return payload === null || payload.length === 0 ? ok(null) : parseJson(fromUtf8(payload))
}
