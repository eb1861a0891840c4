import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  type Handle,
  hasValidSignature,
  MAX_ENVELOPE_BYTES,
  parseEnvelope,
  parseHandle
} from '../actor/index.ts'
import {
  type AbortOptions,
  type Clock,
  type ErrorKind,
  fromNanos,
  isJsonObject,
  type JsonValue,
  type Millis,
  millis,
  parseJson,
  seconds,
  systemClock
} from '../base/index.ts'
import { createVerifier } from '../identity/index.ts'
import { BadMessageError, BadReplyError, RefusedError } from './errors.ts'
import { parseEventStream, type ServerEvent } from './event-stream.ts'
import { type Answer, type Call, createCaller, createOpener } from './http.ts'
import type { ClientPlaces } from './places.ts'

/** The REST interface of one node (B §8). */
export interface Client {
  /** The root handle of the node; asked once. */
  handle(options?: AbortOptions): Promise<Handle>
  /** Has a message sent; resolves with the answer of the node, not with a reply. */
  send(envelope: Envelope, options?: AbortOptions): Promise<JsonValue>
  /**
   * Has a message sent and waits for its reply.
   *
   * The reply is checked here again, for older nodes return whatever arrived first (B §11.1, 2): it must be signed by the
   * actor that was asked, and be addressed to the sender and to the reply behaviour of the message.
   *
   * @throws BadReplyError when it is not.
   * @throws RefusedError with `status 408` and `request timeout` in its text when no reply came in time.
   */
  invoke(envelope: Envelope, options?: AbortOptions): Promise<Envelope>
  /** Has a message published and collects the replies until it expires; what is not a reply to it is left out. */
  broadcast(envelope: Envelope, options?: AbortOptions): Promise<readonly Envelope[]>
  /**
   * Opens the stream of events that a message for `/dms/node/events` asks for; it ends with the message.
   *
   * @throws RefusedError when the node does not allow it; older nodes do not know it (404).
   */
  events(envelope: Envelope, options?: AbortOptions): Promise<AsyncIterable<ServerEvent>>
}

/** Where a node listens, and the clock. */
export interface ClientOptions extends ClientPlaces {
  /** Default the clock of this machine. */
  readonly clock?: Clock
}

const API = '/api/v1/actor'

const EVENTS = '/api/v1/events'

/** How long a request may take that waits for nobody else (B §8.1). */
const REQUEST_TIMEOUT = seconds(30)

/** How much longer than the message lives the client waits, so that the node gets to say what happened. */
const GRACE = seconds(2)

/** Longest answer that holds one envelope: encoded differently it is never twice as long. */
const REPLY_LIMIT = 2 * MAX_ENVELOPE_BYTES

/** Longest answer to a broadcast. */
const REPLIES_LIMIT = 64 * MAX_ENVELOPE_BYTES

/** Longest reason of a refusal that is shown, in characters. */
const MAX_REASON = 500

/** What a status says of a refusal. */
const KINDS: Readonly<Record<number, ErrorKind>> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  408: 'timeout',
  409: 'conflict',
  429: 'exhausted',
  499: 'cancelled',
  500: 'internal',
  503: 'unavailable',
  504: 'timeout'
}

/** Creates a client; nothing is sent before the first call. */
export function createClient({ clock = systemClock, ...places }: ClientOptions): Client {
  const caller = createCaller({ places, clock })
  const open = createOpener({ places, clock })
  const verifier = createVerifier()
  let known: Promise<Handle> | undefined

  async function call(request: Call): Promise<JsonValue> {
    return parseBody(accepted(await caller(request)).text)
  }

  function post(endpoint: string, envelope: Envelope, { signal }: AbortOptions, limit: number): Call {
    const body = bodyOf(envelope)
    const timeout = millis(remaining(envelope, clock) + GRACE)
    return { path: `${API}/${endpoint}`, body, timeout, limit, ...(signal === undefined ? {} : { signal }) }
  }

  async function fetchHandle(options: AbortOptions): Promise<Handle> {
    const handle = parseHandle(await call({ path: `${API}/handle`, timeout: REQUEST_TIMEOUT, limit: REPLY_LIMIT, ...options }))
    if (!handle.ok) throw new BadReplyError(`the node gave no handle: ${handle.error.path} ${handle.error.message}`)
    return handle.value
  }

  function whyNotReply(request: Envelope, reply: Envelope): string | undefined {
    if (reply.to.id !== request.from.id) return 'it is addressed to another actor'
    if (reply.behavior !== request.replyTo) return `it is for ${JSON.stringify(reply.behavior)}, not for ${request.replyTo}`
    if (request.to.id !== '' && reply.from.id !== request.to.id) return 'it comes from another actor than the one that was asked'
    return hasValidSignature(reply, verifier) ? undefined : 'its signature does not belong to its sender'
  }

  return {
    handle(options = {}) {
      const asked = known ?? fetchHandle(options)
      known = asked
      asked.catch(() => {
        known = undefined // the next call asks again
      })
      return asked
    },
    send: async (envelope, options = {}) => call(post('send', envelope, options, REPLY_LIMIT)),
    async invoke(envelope, options = {}) {
      const { text } = accepted(await caller(post('invoke', envelope, options, REPLY_LIMIT)))
      const reply = decodeEnvelope(text)
      if (!reply.ok) throw new BadReplyError(`the reply is not an envelope: ${reply.error.path} ${reply.error.message}`)
      const flaw = whyNotReply(envelope, reply.value)
      if (flaw !== undefined) throw new BadReplyError(`the reply to ${envelope.behavior} was refused: ${flaw}`)
      return reply.value
    },
    async broadcast(envelope, options = {}) {
      const replies = await call(post('broadcast', envelope, options, REPLIES_LIMIT))
      if (replies === null) return []
      if (!Array.isArray(replies)) throw new BadReplyError('the node gave no list of replies')
      return replies
        .map(parseEnvelope)
        .flatMap((reply) => (reply.ok && whyNotReply(envelope, reply.value) === undefined ? [reply.value] : []))
    },
    async events(envelope, options = {}) {
      const { status, chunks } = await open({ path: EVENTS, body: bodyOf(envelope), timeout: REQUEST_TIMEOUT, ...options })
      if (status !== 200) accepted({ status, text: await readAll(chunks) })
      return parseEventStream(chunks)
    }
  }
}

/** @throws BadMessageError when it is too long for the network. */
function bodyOf(envelope: Envelope): string {
  const body = encodeEnvelope(envelope)
  const size = Buffer.byteLength(body)
  if (size <= MAX_ENVELOPE_BYTES) return body
  throw new BadMessageError(`the message has ${size} bytes; at most ${MAX_ENVELOPE_BYTES} can be sent`)
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const read: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    if (size > REPLY_LIMIT) throw new BadReplyError(`the answer of the node has more than ${REPLY_LIMIT} bytes`)
    read.push(chunk)
  }
  return Buffer.concat(read).toString('utf8')
}

function remaining(envelope: Envelope, clock: Clock): Millis {
  return millis(Math.max(0, fromNanos(envelope.expiresAt) - clock.now()))
}

function accepted(answer: Answer): Answer {
  const { status, text } = answer
  if (status >= 200 && status < 300) return answer
  const json = parseJson(text)
  const body = json.ok && isJsonObject(json.value) ? json.value : {}
  const { error, kind } = body
  const reason = typeof error === 'string' ? error : text
  throw new RefusedError(status, printable(reason), kindOf(status, kind))
}

/** The kind that the node named; older nodes name none, then the status tells. */
function kindOf(status: number, named: JsonValue | undefined): ErrorKind {
  const known = Object.values(KINDS).find((kind) => kind === named) ?? KINDS[status]
  return known ?? (status < 500 ? 'invalid' : 'internal')
}

/** What may be shown on a terminal. */
function printable(text: string): string {
  const line = text.replace(/\p{Cc}+/gu, ' ').trim()
  return line.length > MAX_REASON ? `${line.slice(0, MAX_REASON)}…` : line
}

function parseBody(text: string): JsonValue {
  const json = parseJson(text)
  if (!json.ok) throw new BadReplyError(`the answer of the node is not JSON: ${json.error.message}`)
  return json.value
}
