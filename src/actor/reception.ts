import type { Clock, DmsError, JsonValue, Logger, Random } from '../base/index.ts'
import type { KeyPair } from '../identity/index.ts'
import type { CapabilityContext } from '../ucan/index.ts'
import { createAnswers } from './answers.ts'
import { SILENCE, type VerifiedEnvelope } from './behavior.ts'
import { CHUNK_SUFFIX, createHeldReplies } from './chunks.ts'
import { type Envelope, isBroadcast } from './envelope.ts'
import { BadPayloadError, NotAuthorizedError, NotRecordedError, OverdueError, OverloadedError, RestartedError } from './errors.ts'
import type { Gate, GateReason } from './gate.ts'
import type { Handle } from './handle.ts'
import type { Intake } from './intake.ts'
import type { Invoker } from './invoker.ts'
import type { ActorLimits, LaneLimits } from './limits.ts'
import { createMailbox } from './mailbox.ts'
import type { EnvelopeReader } from './reader.ts'
import type { ReplayWindow } from './replay.ts'
import type { Answerable, Replies } from './replies.ts'
import type { Runner } from './runner.ts'
import type { Counters } from './types.ts'
import { parsePayload, type Rejection, type RejectionReason, type SignatureVerifier, verifyFrame } from './verify.ts'

/** What happens to the frames of one actor: verified, given a place, run, answered. */
export interface Reception {
  /** Takes a frame; `peer` is the authenticated peer id of its connection, `undefined` for broadcasts. */
  receive(frame: Uint8Array, peer: string | undefined): void
  /** Begins to run what arrives. */
  serve(): void
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>
}

/** What a reception is made of. */
export interface ReceptionOptions {
  readonly handle: Handle
  readonly key: KeyPair
  readonly context: CapabilityContext
  /** Peer id of this node. */
  readonly ownPeer: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly counters: Counters
  readonly verifier: SignatureVerifier
  readonly reader: EnvelopeReader
  readonly replays: ReplayWindow
  readonly limits: ActorLimits
  readonly gate: Gate
  readonly intake: Intake
  readonly runner: Runner
  readonly replies: Replies
  readonly invoker: Invoker
  /** Aborted when the actor ends. */
  readonly lifetime: AbortSignal
  /** Whether the actor still listens: what waited until it does not is dropped. */
  readonly isOpen: () => boolean
}

/** The queue in which broadcasts wait to be verified, once their validators have let them through. */
export const BROADCASTS = 'broadcasts'

/** Counts a refused frame under its reason. */
export function countRefusal(
  counters: Counters,
  reason: RejectionReason | GateReason | 'crowded' | 'caller-too-fast' | 'unexpected-reply'
): void {
  counters.increment(`messages.refused.${reason}`)
}

/** What fails on a frame, fails on that frame only: the next ones wait in the same queue. */
export function attempt(log: Logger, work: () => void): void {
  try {
    work()
  } catch (error) {
    log.error('could not look at a message', { error: error instanceof Error ? error.stack : String(error) })
  }
}

/** Creates the reception of an actor; nothing runs before `serve`. */
export function createReception(options: ReceptionOptions): Reception {
  const { handle, context, clock, random, log, counters, gate, limits, replies } = options
  const createLane = (laneLimits: LaneLimits) => ({
    mailbox: createMailbox(laneLimits),
    answers: createAnswers(laneLimits),
    held: createHeldReplies(clock, random, options.lifetime)
  })
  const owner = createLane(limits.owner)
  const guests = createLane(limits.guests)
  const broadcasts = createLane(limits.broadcasts)
  const lanes = [owner, guests, broadcasts]

  /** @param stranger - The peer whose share this is, where it is one's. */
  function lookAt(frame: Uint8Array, peer: string | undefined, stranger: string | undefined): void {
    if (!options.isOpen()) return
    if (stranger !== undefined && gate.isTired(stranger)) {
      countRefusal(counters, 'impatient')
      return
    }
    const outcome = verifyFrame(frame, peer, clock.now(), {
      own: handle,
      ownId: options.key.actorId,
      context,
      replays: options.replays,
      verifier: options.verifier,
      reader: options.reader,
      isAwaited: options.invoker.awaits,
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
    const accepted = options.invoker.accept(envelope)
    if (accepted === undefined) admit(envelope, verified)
    else if (accepted === 'accepted') counters.increment('messages.accepted')
    else countRefusal(counters, 'unexpected-reply')
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
    countRefusal(counters, reason)
    const why =
      reason === 'overloaded' ? 'too many messages wait for this actor' : 'more messages than this node takes of one caller'
    tellOnce(request, new OverloadedError(`${why}; try again later`))
  }

  /** One error in a second, however many messages were too many. */
  function tellOnce(request: Answerable, error: DmsError): void {
    if (gate.mayReportOverload(request.envelope.from.id)) replies.answerError(request, error)
  }

  function refuse(rejection: Rejection): void {
    const { reason, message, envelope, tokens = [] } = rejection
    countRefusal(counters, reason)
    log.debug('message refused', { reason, detail: message })
    if (envelope === undefined || isBroadcast(envelope)) return
    const request: Answerable = { envelope, tokens, answers: guests.answers, held: guests.held }
    if (reason === 'overloaded') tellOnce(request, new OverloadedError(message))
    else {
      const error = reason === 'unknown-history' ? new RestartedError(message) : denialOf(rejection)
      if (error !== undefined && gate.mayReportDenial(envelope.from.id)) replies.answerError(request, error)
    }
  }

  async function dispatch(request: Answerable, verified: VerifiedEnvelope): Promise<void> {
    const { envelope } = request
    if (verified.expiresAt < clock.now()) {
      countRefusal(counters, 'expired') // while it waited for its place
      return
    }
    try {
      const kept = options.replays.kept(envelope.from.id, envelope.nonce)
      if (kept !== undefined) await recorded(kept)
      const reply = asksForChunk(envelope) ? readChunk(request) : await options.runner.run(envelope, verified)
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

  return {
    receive(frame, peer) {
      const isOwn = peer === options.ownPeer
      const shut = isOwn || peer === undefined ? undefined : gate.frame(peer)
      if (shut !== undefined) {
        countRefusal(counters, shut)
        return
      }
      options.intake.submit(isOwn ? undefined : (peer ?? BROADCASTS), {
        size: frame.length,
        work: () => attempt(log, () => lookAt(frame, peer, isOwn ? undefined : peer)),
        drop: () => countRefusal(counters, 'crowded')
      })
    },
    serve() {
      for (const { mailbox } of lanes) mailbox.release()
    },
    async idle() {
      await Promise.all(lanes.map(({ mailbox }) => mailbox.idle()))
    }
  }
}

/** What a caller that is known here is told; strangers are told nothing. */
function denialOf({ envelope, denial }: Rejection): NotAuthorizedError | undefined {
  if (envelope === undefined || denial?.known !== true) return undefined
  return new NotAuthorizedError(`not authorized for ${envelope.behavior}: ${denial.message}`)
}

function asksForChunk({ behavior }: Envelope): boolean {
  return behavior.endsWith(CHUNK_SUFFIX)
}

function readChunk({ envelope, held }: Answerable): JsonValue {
  const payload = parsePayload(envelope.payload)
  if (!payload.ok) throw new BadPayloadError(`the payload of ${envelope.behavior} is not JSON: ${payload.error.message}`)
  return held.read(envelope.from.id, envelope.behavior.slice(0, -CHUNK_SUFFIX.length), payload.value)
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
