import {
  type AbortOptions,
  anySignal,
  type Clock,
  fromNanos,
  type Millis,
  mebibytes,
  millis,
  seconds,
  toNanos,
  utf8
} from '../base/index.ts'
import type { Deliver } from './delivery.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope, isBroadcast } from './envelope.ts'
import { BadEnvelopeError, NoReplyError } from './errors.ts'
import { isClientInbox } from './handle.ts'
import type { MessageTransport } from './transport.ts'
import { hasValidSignature, MAX_LIFETIME, type SignatureVerifier } from './verify.ts'

/**
 * Transports the sealed messages of local clients (B §8).
 *
 * Verification has no shortcut for them: the addressed actor checks everything. What comes back is checked here, because the
 * first bytes at an inbox are not yet a reply (B §11.1, 2).
 */
export interface Relay {
  /** Sends without waiting. */
  relaySend(envelope: Envelope, options?: AbortOptions): Promise<void>
  /** Sends and resolves with the verified reply. Errors: `ACTOR_NO_REPLY` at expiry. */
  relayInvoke(envelope: Envelope, options?: AbortOptions): Promise<Envelope>
  /** Publishes and collects verified replies until `enough` of them came or the message expires. */
  relayBroadcast(envelope: Envelope, options?: AbortOptions & { readonly wait?: Millis }): Promise<readonly Envelope[]>
}

/** What a relay is made of. */
export interface RelayOptions {
  readonly transport: MessageTransport
  readonly deliver: Deliver
  readonly clock: Clock
  readonly verifier: SignatureVerifier
  readonly ownPeer: string
}

/** Replies that one broadcast collects at most. */
const MAX_REPLIES = 1000

/** Replies of one peer to one broadcast that are looked at: several actors of a node may answer, but keys cost nothing. */
const MAX_REPLIES_PER_PEER = 8

/** Bytes of all replies that one broadcast collects. */
const MAX_REPLY_BYTES = mebibytes(32)

/** How long a message of a client is tried to be sent: its user waits, and would rather know that nobody is there. */
const PATIENCE = seconds(5)

/** Creates the relay of a node. */
export function createRelay({ transport, deliver, clock, verifier, ownPeer }: RelayOptions): Relay {
  function check(envelope: Envelope, wantsReply: boolean): void {
    const now = clock.now()
    if (envelope.from.host !== ownPeer) {
      throw new BadEnvelopeError(`the sender's host must be this node (${ownPeer}), not ${JSON.stringify(envelope.from.host)}`)
    }
    if (!isClientInbox(envelope.from.inbox)) {
      throw new BadEnvelopeError(`the sender's inbox must be user-<name>, not ${JSON.stringify(envelope.from.inbox)}`)
    }
    if (envelope.expiresAt < toNanos(now)) throw new BadEnvelopeError('the message has expired')
    if (envelope.expiresAt > toNanos(millis(now + MAX_LIFETIME))) {
      throw new BadEnvelopeError('the message would stay valid for more than 24 hours')
    }
    if (wantsReply && envelope.replyTo === '') throw new BadEnvelopeError('missing replyTo field in message')
    if (!hasValidSignature(envelope, verifier)) throw new BadEnvelopeError('the signature does not belong to the sender')
  }

  const frameOf = (envelope: Envelope): Uint8Array => utf8(encodeEnvelope(envelope))

  function remaining(envelope: Envelope): Millis {
    return millis(Math.max(0, fromNanos(envelope.expiresAt) - clock.now()))
  }

  return {
    async relaySend(envelope, options) {
      check(envelope, false)
      await deliver(envelope, frameOf(envelope), { ...options, patience: PATIENCE })
    },
    async relayInvoke(envelope, { signal } = {}) {
      check(envelope, true)
      const done = new AbortController()
      const abort = { signal: anySignal(signal, done.signal) }
      let accept: (reply: Envelope) => void = () => undefined
      const replied = new Promise<Envelope>((resolve) => {
        accept = resolve
      })
      // Outside the promise: when the inbox is taken, nothing may be sent.
      const stopListening = transport.listen(envelope.from.inbox, (frame, peer) => {
        const reply = replyTo(envelope, frame, peer)
        if (reply !== undefined && hasValidSignature(reply, verifier)) accept(reply)
      })
      try {
        const expired = clock.sleep(remaining(envelope), abort).then(() => {
          throw new NoReplyError('request timeout')
        })
        expired.catch(() => undefined) // the reply came first
        const posted = deliver(envelope, frameOf(envelope), { ...abort, patience: PATIENCE }).then(() => replied)
        return await Promise.race([replied, posted, expired])
      } finally {
        stopListening()
        done.abort()
      }
    },
    async relayBroadcast(envelope, { signal, wait } = {}) {
      if (!isBroadcast(envelope)) throw new BadEnvelopeError('message is not a broadcast message')
      check(envelope, false)
      const replies = collectReplies(envelope, verifier)
      const stopListening = transport.listen(envelope.from.inbox, (frame, peer) => replies.take(frame, peer))
      try {
        await transport.publish(envelope.topic, frameOf(envelope))
        const left = remaining(envelope)
        await clock
          .sleep(wait === undefined ? left : millis(Math.min(wait, left)), signal === undefined ? {} : { signal })
          .catch(() => undefined) // the client went away; what came so far is the answer
        return replies.list()
      } finally {
        stopListening()
      }
    }
  }
}

/** The reply to `request` that a frame claims to be; its signature is not checked yet. */
function replyTo(request: Envelope, frame: Uint8Array, peer: string): Envelope | undefined {
  const decoded = decodeEnvelope(frame)
  if (!decoded.ok) return undefined
  const reply = decoded.value
  const fromAsked = isBroadcast(request) ? request.from.id !== reply.from.id : reply.from.id === request.to.id
  const fits = reply.to.id === request.from.id && reply.behavior === request.replyTo && reply.from.host === peer
  return fits && fromAsked ? reply : undefined
}

/** The replies to one broadcast: the first of each sender, within all bounds, which are checked before any signature. */
interface ReplyCollector {
  /** Takes a frame of a peer if it is such a reply. */
  take(frame: Uint8Array, peer: string): void
  list(): readonly Envelope[]
}

function collectReplies(request: Envelope, verifier: SignatureVerifier): ReplyCollector {
  const replies = new Map<string, Envelope>()
  const looksByPeer = new Map<string, number>()
  let size = 0
  return {
    take(frame, peer) {
      const looks = looksByPeer.get(peer) ?? 0
      if (looks >= MAX_REPLIES_PER_PEER || replies.size >= MAX_REPLIES || size + frame.length > MAX_REPLY_BYTES) return
      const reply = replyTo(request, frame, peer)
      if (reply === undefined || replies.has(reply.from.id)) return
      looksByPeer.set(peer, looks + 1)
      if (!hasValidSignature(reply, verifier)) return
      replies.set(reply.from.id, reply)
      size += frame.length
    },
    list: () => [...replies.values()]
  }
}
