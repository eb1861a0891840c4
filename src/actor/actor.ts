import {
  type Clock,
  DmsError,
  describeIssues,
  EXIT_CODES,
  encodeGoJson,
  errorMessage,
  isJsonObject,
  type JsonValue,
  type Logger,
  linkSignals,
  millis,
  type Random,
  randomHex,
  seconds,
  utf8
} from '../base/index.ts'
import type { KeyPair } from '../identity/index.ts'
import type { CapabilityContext, Token } from '../ucan/index.ts'
import { type Behavior, type Handler, SILENCE, type VerifiedEnvelope } from './behavior.ts'
import { judgeBroadcast } from './broadcast.ts'
import { type Envelope, isBroadcast } from './envelope.ts'
import {
  BadPayloadError,
  HandlerFailedError,
  InboxTakenError,
  NoReplyError,
  NotAuthorizedError,
  OverloadedError,
  RemoteError,
  UnknownBehaviorError
} from './errors.ts'
import { EMPTY_HANDLE, type Handle } from './handle.ts'
import { createMailbox } from './mailbox.ts'
import { DEFAULT_TIMEOUT, type Outbox, REPLY_PATH } from './outbox.ts'
import type { Patience } from './patience.ts'
import type { EnvelopeReader } from './reader.ts'
import type { ReplayWindow } from './replay.ts'
import type { MessageTransport, Verdict } from './transport.ts'
import type { Actor, Counters, SendOptions } from './types.ts'
import { parsePayload, type Rejection, type SignatureVerifier, verifyFrame } from './verify.ts'

/** An actor with its life. */
export interface ActorCell {
  readonly actor: Actor
  /** Begins to listen; what arrives is verified and waits. */
  open(): void
  /** Begins to run what arrives. */
  serve(): void
  close(): Promise<void>
}

/** What an actor is made of. */
export interface ActorCellOptions {
  readonly handle: Handle
  readonly key: KeyPair
  readonly context: CapabilityContext
  readonly transport: MessageTransport
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly counters: Counters
  readonly outbox: Outbox
  readonly verifier: SignatureVerifier
  readonly reader: EnvelopeReader
  readonly replays: ReplayWindow
  /** Shared by all actors of a node. */
  readonly patience: Patience
}

interface Registered {
  readonly behavior: Behavior<unknown, unknown>
  readonly handler: Handler<unknown, unknown>
}

interface PendingReply {
  readonly from: string
  readonly accept: (payload: JsonValue) => void
}

/** Handlers that run at once, and messages that wait, per actor (B §3.2 has queues of 100). */
const MAILBOX_LIMITS = { concurrency: 64, waiting: 256, perCaller: 80 }

/** Answers on their way at once, per actor; further ones are dropped, and their callers time out. */
const MAX_ANSWERS = 512

/** How long a retired actor waits for its running handlers before it aborts them. */
const DRAIN_TIME = seconds(5)

/** Creates an actor; it neither sends nor hears before `open`. */
export function createActorCell(options: ActorCellOptions): ActorCell {
  const { handle, key, transport, clock, random, log, counters, outbox, patience } = options
  const behaviors = new Map<string, Registered>()
  const pending = new Map<string, PendingReply>()
  const mailbox = createMailbox(MAILBOX_LIMITS)
  const lifetime = new AbortController()
  const subscriptions = new Map<string, Promise<() => Promise<void>>>()
  let stopListening: (() => void) | undefined
  let answers = 0

  function receive(frame: Uint8Array, peer: string | undefined): void {
    const isStranger = peer !== undefined && peer !== transport.peerId
    if (isStranger && !patience.allows(peer)) {
      counters.increment('messages.refused.impatient')
      return
    }
    const outcome = verifyFrame(frame, peer, clock.now(), {
      own: handle,
      ownId: key.actorId,
      context: options.context,
      replays: options.replays,
      verifier: options.verifier,
      reader: options.reader,
      isAwaited: ({ behavior, from }) => pending.get(behavior)?.from === from.id,
      capabilitiesOf: (behavior) => [behavior]
    })
    if (!outcome.ok) {
      if (isStranger) patience.strain(peer)
      refuse(outcome.error)
      return
    }
    const { envelope, verified } = outcome.value
    const waiting = pending.get(envelope.behavior)
    if (waiting !== undefined) {
      acceptReply(waiting, envelope)
      return
    }
    if (!mailbox.post(verified.authorization?.origin ?? handle.did, () => dispatch(envelope, verified))) {
      counters.increment('messages.refused.overloaded')
      answerError(envelope, verified.tokens, new OverloadedError('too many messages wait for this actor; try again later'))
    }
  }

  function refuse(rejection: Rejection): void {
    counters.increment(`messages.refused.${rejection.reason}`)
    log.debug('message refused', { reason: rejection.reason, detail: rejection.message })
    const { envelope, tokens, denial } = rejection
    if (envelope !== undefined && !isBroadcast(envelope) && tokens !== undefined && denial?.known === true) {
      answerError(envelope, tokens, new NotAuthorizedError(`not authorized for ${envelope.behavior}: ${denial.message}`))
    }
  }

  function acceptReply(waiting: PendingReply, envelope: Envelope): void {
    const payload = parsePayload(envelope.payload)
    if (waiting.from !== envelope.from.id || !payload.ok) {
      counters.increment('messages.refused.unexpected-reply')
      return
    }
    counters.increment('messages.accepted')
    waiting.accept(payload.value)
  }

  async function dispatch(envelope: Envelope, verified: VerifiedEnvelope): Promise<void> {
    try {
      const reply = await run(envelope, verified)
      counters.increment('messages.accepted')
      if (reply !== SILENCE && envelope.replyTo !== '') answer(envelope, verified.tokens, reply)
    } catch (error) {
      answerError(envelope, verified.tokens, asReportable(error, envelope.behavior))
    }
  }

  async function run(envelope: Envelope, verified: VerifiedEnvelope): Promise<unknown> {
    const registered = behaviors.get(envelope.behavior)
    if (registered === undefined) throw new UnknownBehaviorError(`there is no behaviour ${envelope.behavior} here`)
    const { behavior, handler } = registered
    if (verified.isBroadcast && behavior.topic !== envelope.topic) return SILENCE
    const payload = parsePayload(envelope.payload)
    if (!payload.ok) throw new BadPayloadError(`the payload of ${envelope.behavior} is not JSON: ${payload.error.message}`)
    const request = behavior.request.decode(payload.value)
    if (!request.ok) throw new BadPayloadError(`bad request for ${envelope.behavior}: ${describeIssues(request.error)}`)
    const expiry = linkSignals(lifetime.signal)
    void clock
      .sleep(millis(Math.max(0, verified.expiresAt - clock.now())), expiry)
      .then(() => expiry.end())
      .catch(() => undefined) // the handler ended first
    try {
      const reply = await handler(request.value, verified, expiry)
      return reply === SILENCE ? SILENCE : behavior.reply.encode(reply)
    } finally {
      expiry.end()
    }
  }

  /** The unknown error is logged here with an id; the caller learns only the id (never a stack). */
  function asReportable(error: unknown, behavior: string): DmsError {
    if (error instanceof DmsError && error.kind !== 'internal') return error
    const id = randomHex(random, 6)
    log.error('handler failed', { behavior, errorId: id, error: error instanceof Error ? error.stack : String(error) })
    return new HandlerFailedError(`${behavior} failed; the node logged it as ${id}`)
  }

  function answerError(envelope: Envelope, tokens: readonly Token[], error: DmsError): void {
    if (envelope.replyTo === '' || isBroadcast(envelope)) {
      log.info('request failed', { behavior: envelope.behavior, error: error.message })
      return
    }
    const { code, kind, message, details } = error
    answer(envelope, tokens, { OK: false, error: message, code, kind, message, details: { ...details } })
  }

  /** Sends a reply without keeping a place of the mailbox: a caller that does not take its replies holds up nobody else. */
  function answer(request: Envelope, received: readonly Token[], payload: unknown): void {
    if (answers >= MAX_ANSWERS) {
      counters.increment('replies.dropped')
      return
    }
    answers += 1
    sendReply(request, received, payload)
      .catch((failure: unknown) => {
        log.debug('reply not delivered', { behavior: request.behavior, error: errorMessage(failure) })
      })
      .finally(() => {
        answers -= 1
      })
  }

  async function sendReply(request: Envelope, received: readonly Token[], payload: unknown): Promise<void> {
    const sealed = await outbox.seal({
      to: request.from,
      behavior: request.replyTo,
      payload: toPayload(payload),
      expiresAt: request.expiresAt,
      received
    })
    await outbox.post(sealed, { signal: lifetime.signal })
  }

  async function invoke<Request, Reply>(
    to: Handle,
    behavior: Behavior<Request, Reply>,
    request: Request,
    { timeout = DEFAULT_TIMEOUT, signal }: SendOptions = {}
  ): Promise<Reply> {
    const replyTo = `${REPLY_PATH}${BigInt(`0x${randomHex(random, 8)}`)}`
    const draft = { to, behavior: behavior.name, payload: toPayload(behavior.request.encode(request)), timeout, replyTo }
    const abort = linkSignals(signal, lifetime.signal)
    const expired = clock.sleep(timeout, abort).then(() => {
      throw new NoReplyError(`request timeout: no reply to ${behavior.name} from ${to.did} within ${timeout} ms`)
    })
    expired.catch(() => undefined) // the reply came first
    try {
      const sealed = await outbox.seal(draft, abort)
      const replied = new Promise<JsonValue>((accept) => pending.set(replyTo, { from: to.id, accept }))
      const posted = outbox.post(sealed, abort).then(() => replied)
      return decodeReply(behavior, await Promise.race([replied, posted, expired]))
    } finally {
      pending.delete(replyTo)
      abort.end()
    }
  }

  function listenTo(topic: string): void {
    if (subscriptions.has(topic)) return
    const validate = (frame: Uint8Array): Verdict => judgeBroadcast(frame, topic, clock.now(), options.verifier)
    const subscription = transport.subscribe(topic, (frame) => receive(frame, undefined), validate)
    subscriptions.set(topic, subscription)
    subscription.catch((error: unknown) => {
      subscriptions.delete(topic)
      log.error('cannot subscribe', { topic, error: errorMessage(error) })
    })
  }

  const actor: Actor = {
    handle,
    key,
    on(behavior, handler) {
      if (behaviors.has(behavior.name)) throw new InboxTakenError(`${behavior.name} is served already`)
      // Its own codec decodes what its own handler gets, so forgetting the types here is safe.
      const registered: Registered = { behavior: behavior, handler: handler as Registered['handler'] }
      behaviors.set(behavior.name, registered)
      if (behavior.topic !== undefined) listenTo(behavior.topic)
      return () => {
        if (behaviors.get(behavior.name) === registered) behaviors.delete(behavior.name)
      }
    },
    async send(to, behavior, request, sendOptions = {}) {
      const sealed = await outbox.seal({ ...draftOf(behavior, request, sendOptions), to }, sendOptions)
      await outbox.post(sealed, sendOptions)
    },
    invoke,
    async broadcast(behavior, request, sendOptions = {}) {
      if (behavior.topic === undefined) throw new BadPayloadError(`${behavior.name} has no topic to broadcast on`)
      const draft = { ...draftOf(behavior, request, sendOptions), to: EMPTY_HANDLE, topic: behavior.topic }
      await outbox.post(await outbox.seal(draft, sendOptions), sendOptions)
    }
  }

  return {
    actor,
    open() {
      stopListening = transport.listen(handle.inbox, receive)
    },
    serve: () => mailbox.release(),
    async close() {
      stopListening?.()
      stopListening = undefined
      for (const subscription of subscriptions.values()) await (await subscription)().catch(() => undefined) // already gone
      subscriptions.clear()
      const drained = new AbortController()
      await Promise.race([
        mailbox.idle(),
        clock.sleep(DRAIN_TIME, { signal: drained.signal }).catch(() => undefined) // drained first
      ])
      drained.abort()
      lifetime.abort()
    }
  }
}

function draftOf<Request>(behavior: Behavior<Request, unknown>, request: Request, { timeout, replyTo, inReplyTo }: SendOptions) {
  return {
    behavior: behavior.name,
    payload: toPayload(behavior.request.encode(request)),
    ...(timeout === undefined ? {} : { timeout }),
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(inReplyTo === undefined ? {} : { received: inReplyTo.tokens })
  }
}

function toPayload(value: unknown): Uint8Array {
  return value === null || value === undefined ? new Uint8Array() : utf8(encodeGoJson(value))
}

function decodeReply<Reply>(behavior: Behavior<unknown, Reply> | Behavior<never, Reply>, payload: JsonValue): Reply {
  const failure = errorOf(payload)
  if (failure !== undefined) throw failure
  const reply = behavior.reply.decode(payload)
  if (!reply.ok) throw new BadPayloadError(`bad reply to ${behavior.name}: ${describeIssues(reply.error)}`)
  return reply.value
}

const KINDS: ReadonlySet<string> = new Set(Object.keys(EXIT_CODES))

/** The error inside a reply, where it is one of ours: `{code, kind, message}`. */
export function errorOf(payload: JsonValue): RemoteError | undefined {
  if (!isJsonObject(payload)) return undefined
  const { code, kind, message } = payload
  if (typeof code !== 'string' || typeof kind !== 'string' || typeof message !== 'string' || !KINDS.has(kind)) return undefined
  return new RemoteError(message, code, kind as RemoteError['kind'])
}
