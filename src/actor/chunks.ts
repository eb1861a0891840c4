import {
  type Clock,
  decodeBase64,
  encodeBase64,
  fromUtf8,
  isJsonObject,
  type JsonValue,
  mebibytes,
  millis,
  minutes,
  parseJson,
  type Random,
  randomHex
} from '../base/index.ts'
import { BadPayloadError, ReplyGoneError } from './errors.ts'

/**
 * Added to the path of a behaviour: reads a reply of it that was too large for one message, piece by piece.
 *
 * Whoever may call a behaviour may call what is below its path, so no other right is needed.
 */
export const CHUNK_SUFFIX = '/reply/chunk'

/** The largest payload of a reply that leaves in one message: encoded, with tokens and signature, it stays below 1 MiB. */
export const MAX_PAYLOAD = 720_000

/** The largest reply that is held to be read in pieces. */
const MAX_REPLY = mebibytes(16)

/** Bytes of a piece (B §7.1: at most 512 KiB), encoded as base64 inside of a payload. */
const PIECE = 524_288

/** How long a reply is held after it was made or read last. */
const HOLD_TIME = minutes(1)

/** Bytes of all replies that are held, and replies of one caller; its older ones make room for new ones. */
const MAX_HELD = mebibytes(64)
const MAX_OF_CALLER = 2

/** What a reply says that is held to be read in pieces. */
export interface ChunkedReply {
  readonly id: string
  /** Bytes of the payload, which is JSON. */
  readonly size: number
}

/** Replies that were too large for one message. */
export interface HeldReplies {
  /** Holds a reply for its caller; nothing when it, or all that is held, is too large. */
  hold(caller: string, behavior: string, payload: Uint8Array): ChunkedReply | undefined
  /** The piece that a request asks for. Throws `ACTOR_REPLY_GONE`, `ACTOR_BAD_PAYLOAD`. */
  read(caller: string, behavior: string, request: JsonValue): JsonValue
}

interface Held {
  readonly id: string
  readonly caller: string
  readonly behavior: string
  readonly payload: Uint8Array
  until: number
}

/** Creates an empty store of replies; `lifetime` ends its timers. */
export function createHeldReplies(clock: Clock, random: Random, lifetime: AbortSignal): HeldReplies {
  /** Oldest first. */
  const held = new Map<string, Held>()

  function sweep(): void {
    for (const [id, { until }] of held) if (until <= clock.now()) held.delete(id)
  }

  function sweepLater(): void {
    clock.sleep(millis(HOLD_TIME + 1), { signal: lifetime }).then(
      () => {
        sweep()
        if (held.size > 0 && !lifetime.aborted) sweepLater()
      },
      () => held.clear()
    )
  }

  return {
    hold(caller, behavior, payload) {
      sweep()
      const own = [...held.values()].filter((reply) => reply.caller === caller)
      for (const { id } of own.slice(0, Math.max(0, own.length - MAX_OF_CALLER + 1))) held.delete(id)
      const bytes = [...held.values()].reduce((sum, { payload: other }) => sum + other.length, 0)
      if (payload.length > MAX_REPLY || bytes + payload.length > MAX_HELD) return undefined
      const id = randomHex(random, 16)
      if (held.size === 0) sweepLater()
      held.set(id, { id, caller, behavior, payload, until: clock.now() + HOLD_TIME })
      return { id, size: payload.length }
    },
    read(caller, behavior, request) {
      const { id, offset = 0 } = isJsonObject(request) ? request : {}
      if (typeof id !== 'string' || typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < 0) {
        throw new BadPayloadError(`bad request for ${behavior}${CHUNK_SUFFIX}: must have the text id and the number offset`)
      }
      const reply = held.get(id)
      if (reply === undefined || reply.caller !== caller || reply.behavior !== behavior || reply.until <= clock.now()) {
        throw new ReplyGoneError(`there is no such reply of ${behavior} here any more; ask again`)
      }
      reply.until = clock.now() + HOLD_TIME
      const { payload } = reply
      const data = payload.subarray(offset, offset + PIECE)
      const next = offset + data.length
      return { offset, next_offset: next, total_size: payload.length, eof: next >= payload.length, data: encodeBase64(data) }
    }
  }
}

/** The member of a reply that says that it is to be read in pieces. */
export function chunkedMember({ id, size }: ChunkedReply): JsonValue {
  return { id, size }
}

/** Whether a reply is to be read in pieces, and which. */
export function chunkedOf(payload: JsonValue): ChunkedReply | undefined {
  const chunks = isJsonObject(payload) ? payload['chunks'] : undefined
  if (!isJsonObject(chunks)) return undefined
  const { id, size } = chunks
  if (typeof id !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1) return undefined
  return { id, size }
}

/**
 * Reads a reply piece by piece.
 *
 * @param fetch - Invokes the behaviour with {@link CHUNK_SUFFIX} and resolves with the payload of its reply.
 * @throws BadPayloadError when the pieces do not make a reply of the announced size, or one of more than 16 MiB.
 */
export async function collectChunks(
  { id, size }: ChunkedReply,
  fetch: (request: JsonValue) => Promise<JsonValue>
): Promise<JsonValue> {
  if (size > MAX_REPLY) throw new BadPayloadError(`the reply has ${size} bytes, at most ${MAX_REPLY} are read`)
  const whole = new Uint8Array(size)
  for (let offset = 0; offset < size; ) {
    const piece = pieceOf(await fetch({ id, offset }))
    if (piece === undefined || piece.length === 0 || offset + piece.length > size) {
      throw new BadPayloadError(`the piece of the reply at ${offset} of ${size} bytes is missing or wrong`)
    }
    whole.set(piece, offset)
    offset += piece.length
  }
  const json = parseJson(fromUtf8(whole))
  if (!json.ok) throw new BadPayloadError(`the reply is not JSON: ${json.error.message}`)
  return json.value
}

function pieceOf(payload: JsonValue): Uint8Array | undefined {
  const data = isJsonObject(payload) ? payload['data'] : undefined
  const bytes = typeof data === 'string' ? decodeBase64(data) : undefined
  return bytes?.ok === true ? bytes.value : undefined
}
