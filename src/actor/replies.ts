import { DmsError, encodeGoJson, errorMessage, type Logger, type Random, randomHex, utf8 } from '../base/index.ts'
import type { Token } from '../ucan/index.ts'
import type { Answers } from './answers.ts'
import { chunkedMember, type HeldReplies, MAX_PAYLOAD } from './chunks.ts'
import { type Envelope, isBroadcast } from './envelope.ts'
import { HandlerFailedError, ReplyTooLargeError } from './errors.ts'
import type { Outbox } from './outbox.ts'
import type { Counters } from './types.ts'

/** A request that may be answered: its sender proved who it is. */
export interface Answerable {
  readonly envelope: Envelope
  /** The tokens that came with it; the reply may build on them. */
  readonly tokens: readonly Token[]
  /** Where its answer is counted. */
  readonly answers: Answers
  /** Where its answer is held, when it is too large for one message. */
  readonly held: HeldReplies
}

/** Sends the replies of one actor. */
export interface Replies {
  /** Sends a reply without waiting for it; nothing happens where none is wanted. */
  answer(request: Answerable, payload: unknown): void
  /** Sends an error as a reply; broadcasts and messages that want no reply get none. */
  answerError(request: Answerable, error: DmsError): void
  /** What a caller may be told of anything thrown; the rest is logged here under an id, and the caller learns only the id. */
  toReportable(error: unknown, behavior: string): DmsError
}

/** What {@link createReplies} needs. */
export interface RepliesOptions {
  readonly outbox: Outbox
  readonly random: Random
  readonly log: Logger
  readonly counters: Counters
  /** Aborted when the actor ends. */
  readonly lifetime: AbortSignal
}

/** Creates the replies of an actor. */
export function createReplies({ outbox, random, log, counters, lifetime }: RepliesOptions): Replies {
  /** The payload of a reply, or of the error that says how to read it in pieces. */
  function encode({ envelope, held }: Answerable, value: unknown): Uint8Array {
    const payload = toPayload(value)
    if (payload.length <= MAX_PAYLOAD) return payload
    const chunked = isBroadcast(envelope) ? undefined : held.hold(envelope.from.id, envelope.behavior, payload)
    const error = new ReplyTooLargeError(
      `the reply to ${envelope.behavior} has ${payload.length} bytes, one message carries ${MAX_PAYLOAD}`
    )
    return toPayload({ ...errorPayload(error), ...(chunked === undefined ? {} : { chunks: chunkedMember(chunked) }) })
  }

  async function send(request: Answerable, payload: unknown): Promise<void> {
    const { envelope, tokens } = request
    try {
      const sealed = await outbox.seal({
        to: envelope.from,
        behavior: envelope.replyTo,
        payload: encode(request, payload),
        expiresAt: envelope.expiresAt,
        received: tokens
      })
      await outbox.post(sealed, { signal: lifetime })
    } catch (failure) {
      log.debug('reply not delivered', { behavior: envelope.behavior, error: errorMessage(failure) })
    }
  }

  function answer(request: Answerable, payload: unknown): void {
    const { envelope, answers } = request
    if (envelope.replyTo === '') return
    if (!answers.post(envelope.from.host, () => send(request, payload))) counters.increment('replies.dropped')
  }

  return {
    answer,
    answerError(request, error) {
      const { envelope } = request
      if (envelope.replyTo === '' || isBroadcast(envelope)) {
        log.info('request failed', { behavior: envelope.behavior, error: error.message })
        return
      }
      answer(request, errorPayload(error))
    },
    toReportable(error, behavior) {
      if (error instanceof DmsError && error.kind !== 'internal') return error
      const id = randomHex(random, 6)
      log.error('handler failed', { behavior, errorId: id, error: error instanceof Error ? error.stack : String(error) })
      return new HandlerFailedError(`${behavior} failed; the node logged it as ${id}`)
    }
  }
}

/** An error as other nodes read it: `OK` and `error` as in the reference, the rest for programs. */
function errorPayload({ code, kind, message, details }: DmsError): object {
  return { OK: false, error: message, code, kind, message, details: { ...details } }
}

/** A payload as bytes; nothing is the empty payload. */
export function toPayload(value: unknown): Uint8Array {
  return value === null || value === undefined ? new Uint8Array() : utf8(encodeGoJson(value))
}
