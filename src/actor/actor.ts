import { type Clock, type DmsError, errorMessage, type JsonValue, type Logger, type Random, seconds } from '../base/index.ts'
import type { KeyPair } from '../identity/index.ts'
import type { CapabilityContext } from '../ucan/index.ts'
import { createAnswers } from './answers.ts'
import { type Behavior, SILENCE, type VerifiedEnvelope } from './behavior.ts'
import { judgeBroadcast } from './broadcast.ts'
import { CHUNK_SUFFIX, createHeldReplies } from './chunks.ts'
import { type Envelope, isBroadcast } from './envelope.ts'
import { BadPayloadError, NotAuthorizedError, NotRecordedError, OverdueError, OverloadedError, RestartedError } from './errors.ts'
import type { Gate, GateReason } from './gate.ts'
import { EMPTY_HANDLE, type Handle } from './handle.ts'
import type { Intake } from './intake.ts'
import { createInvoker } from './invoker.ts'
import type { ActorLimits, LaneLimits } from './limits.ts'
import { createMailbox } from './mailbox.ts'
import type { Outbox } from './outbox.ts'
import type { EnvelopeReader } from './reader.ts'
import type { ReplayWindow } from './replay.ts'
import { type Answerable, createReplies, toPayload } from './replies.ts'
import { createRunner } from './runner.ts'
import type { BroadcastSource, MessageTransport, Verdict } from './transport.ts'
import type { Actor, Counters, SendOptions } from './types.ts'
import { parsePayload, type Rejection, type RejectionReason, type SignatureVerifier, verifyFrame } from './verify.ts'

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
  readonly limits: ActorLimits
  /** Shared by all actors of a node. */
  readonly gate: Gate
  /** Shared by all actors of a node. */
  readonly intake: Intake
}

/** How long a retired actor waits for its running handlers before it aborts them. */
const DRAIN_TIME = seconds(5)

/** The queue in which broadcasts wait to be verified, once their validators have let them through. */
const BROADCASTS = 'broadcasts'

/** Creates an actor; it neither sends nor hears before `open`. */
export function createActorCell(options: ActorCellOptions): ActorCell {
  const { handle, key, context, transport, clock, random, log, counters, outbox, gate, intake, limits } = options
  const lifetime = new AbortController()
  const runner = createRunner({ clock, log, overtime: limits.overtime, lifetime: lifetime.signal })
  const replies = createReplies({ outbox, random, log, counters, lifetime: lifetime.signal })
  const invoker = createInvoker({ outbox, clock, random, lifetime: lifetime.signal })
  const createLane = (laneLimits: LaneLimits) => ({
    mailbox: createMailbox(laneLimits),
    answers: createAnswers(laneLimits),
    held: createHeldReplies(clock, random, lifetime.signal)
  })
  const owner = createLane(limits.owner)
  const guests = createLane(limits.guests)
  const broadcasts = createLane(limits.broadcasts)
  const lanes = [owner, guests, broadcasts]
  const subscriptions = new Map<string, Promise<() => Promise<void>>>()
  let stopListening: (() => void) | undefined

  function count(reason: RejectionReason | GateReason | 'crowded' | 'caller-too-fast' | 'unexpected-reply'): void {
    counters.increment(`messages.refused.${reason}`)
  }

  function receive(frame: Uint8Array, peer: string | undefined): void {
    const isOwn = peer === transport.peerId
    const shut = isOwn || peer === undefined ? undefined : gate.frame(peer)
    if (shut !== undefined) {
      count(shut)
      return
    }
    intake.submit(isOwn ? undefined : (peer ?? BROADCASTS), {
      size: frame.length,
      work: () => attempt(() => lookAt(frame, peer, isOwn ? undefined : peer)),
      drop: () => count('crowded')
    })
  }

  /** What fails on a frame, fails on that frame only: the next ones wait in the same queue. */
  function attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      log.error('could not look at a message', { error: error instanceof Error ? error.stack : String(error) })
    }
  }

  /** @param stranger - The peer whose share this is, where it is one's. */
  function lookAt(frame: Uint8Array, peer: string | undefined, stranger: string | undefined): void {
    if (stranger !== undefined && gate.isTired(stranger)) {
      count('impatient')
      return
    }
    const outcome = verifyFrame(frame, peer, clock.now(), {
      own: handle,
      ownId: key.actorId,
      context,
      replays: options.replays,
      verifier: options.verifier,
      reader: options.reader,
      isAwaited: invoker.awaits,
      capabilitiesOf: (behavior) => [behavior],
      admits: (senderId) => senderId === handle.id || gate.sender(senderId)
    })
    if (!outcome.ok) {
      if (stranger !== undefined) gate.refused(stranger)
      refuse(outcome.error)
      return
    }
    const { envelope, verified } = outcome.value
    gate.authorized(stranger, envelope.from.id)
    const accepted = invoker.accept(envelope)
    if (accepted === undefined) admit(envelope, verified)
    else if (accepted === 'accepted') counters.increment('messages.accepted')
    else count('unexpected-reply')
  }

  /** An authorised message gets a place of its caller, or its caller is told that there is none. */
  function admit(envelope: Envelope, verified: VerifiedEnvelope): void {
    const caller = verified.authorization?.origin ?? handle.did
    const isOwner = caller === handle.did || context.isRoot(caller)
    const { mailbox, answers, held } = isOwner ? owner : verified.isBroadcast ? broadcasts : guests
    const request: Answerable = { envelope, tokens: verified.tokens, answers, held }
    if (!isOwner && !gate.caller(caller)) tooMuch('caller-too-fast', request)
    else if (!mailbox.post(caller, () => dispatch(request, verified))) tooMuch('overloaded', request)
  }

  function tooMuch(reason: 'caller-too-fast' | 'overloaded', request: Answerable): void {
    count(reason)
    const why =
      reason === 'overloaded' ? 'too many messages wait for this actor' : 'more messages than this node takes of one caller'
    tellOnce(request, new OverloadedError(`${why}; try again later`))
  }

  /** One error in a second, however many messages it is about. */
  function tellOnce(request: Answerable, error: DmsError): void {
    if (gate.mayReportOverload(request.envelope.from.id)) replies.answerError(request, error)
  }

  function refuse(rejection: Rejection): void {
    const { reason, message, envelope, tokens = [], denial } = rejection
    count(reason)
    log.debug('message refused', { reason, detail: message })
    if (envelope === undefined || isBroadcast(envelope)) return
    const request: Answerable = { envelope, tokens, answers: guests.answers, held: guests.held }
    if (reason === 'overloaded') tellOnce(request, new OverloadedError(message))
    else if (reason === 'unknown-history') tellOnce(request, new RestartedError(message))
    else if (denial?.known === true && gate.mayReportDenial(envelope.from.id)) {
      replies.answerError(request, new NotAuthorizedError(`not authorized for ${envelope.behavior}: ${denial.message}`))
    }
  }

  function readChunk({ envelope, held }: Answerable): JsonValue {
    const payload = parsePayload(envelope.payload)
    if (!payload.ok) throw new BadPayloadError(`the payload of ${envelope.behavior} is not JSON: ${payload.error.message}`)
    return held.read(envelope.from.id, envelope.behavior.slice(0, -CHUNK_SUFFIX.length), payload.value)
  }

  async function dispatch(request: Answerable, verified: VerifiedEnvelope): Promise<void> {
    const { envelope } = request
    try {
      const kept = options.replays.kept(envelope.from.id, envelope.nonce)
      if (kept !== undefined) await recorded(kept)
      const reply = readsChunk(envelope.behavior) ? readChunk(request) : await runner.run(envelope, verified)
      counters.increment('messages.accepted')
      if (reply !== SILENCE) replies.answer(request, reply)
    } catch (error) {
      if (error instanceof OverdueError) {
        counters.increment('messages.overdue')
        log.warn('a handler does not end', { behavior: envelope.behavior, error: error.message })
        return
      }
      replies.answerError(request, replies.toReportable(error, envelope.behavior))
    }
  }

  /** Judged in the turn of the neighbour that passed it on; what there is no room for is ignored. */
  function judge(frame: Uint8Array, topic: string, source: BroadcastSource | undefined): Verdict | Promise<Verdict> {
    const shut = source === undefined ? undefined : gate.broadcast(source)
    if (shut !== undefined) {
      count(shut)
      return 'ignore'
    }
    const outcome: { verdict?: Verdict; settle?: (verdict: Verdict) => void } = {}
    const conclude = (verdict: Verdict): void => {
      outcome.verdict = verdict
      outcome.settle?.(verdict)
    }
    intake.submit(source?.forwarder ?? BROADCASTS, {
      size: frame.length,
      work: () => {
        attempt(() => conclude(judgeBroadcast(frame, topic, source, clock.now(), options.verifier)))
        if (outcome.verdict === undefined) conclude('ignore')
      },
      drop: () => {
        count('crowded')
        conclude('ignore')
      }
    })
    return (
      outcome.verdict ??
      new Promise((resolve) => {
        outcome.settle = resolve
      })
    )
  }

  function listenTo(topic: string): void {
    if (subscriptions.has(topic)) return
    const subscription = transport.subscribe(
      topic,
      (frame) => receive(frame, undefined),
      (frame, source) => judge(frame, topic, source)
    )
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
      const end = runner.on(behavior, handler)
      if (behavior.topic !== undefined) listenTo(behavior.topic)
      return end
    },
    async send(to, behavior, request, sendOptions = {}) {
      const sealed = await outbox.seal({ ...draftOf(behavior, request, sendOptions), to }, sendOptions)
      await outbox.post(sealed, sendOptions)
    },
    invoke: (to, behavior, request, sendOptions) => invoker.invoke(to, behavior, request, sendOptions),
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
    serve() {
      for (const { mailbox } of lanes) mailbox.release()
    },
    async close() {
      stopListening?.()
      stopListening = undefined
      for (const subscription of subscriptions.values()) await (await subscription)().catch(() => undefined) // already gone
      subscriptions.clear()
      const drained = new AbortController()
      await Promise.race([
        Promise.all(lanes.map(({ mailbox }) => mailbox.idle())),
        clock.sleep(DRAIN_TIME, { signal: drained.signal }).catch(() => undefined) // drained first
      ])
      drained.abort()
      lifetime.abort()
    }
  }
}

function readsChunk(behavior: string): boolean {
  return behavior.endsWith(CHUNK_SUFFIX)
}

/** Waits until it is durable that a message was accepted. */
async function recorded(kept: Promise<void>): Promise<void> {
  try {
    await kept
  } catch (cause) {
    throw new NotRecordedError('the message was not handled, because it cannot be written down that it was; try again later', {
      cause
    })
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
