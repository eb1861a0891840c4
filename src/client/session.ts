import {
  CHUNK_SUFFIX,
  chunkedOf,
  collectChunks,
  DEFAULT_TIMEOUT,
  EMPTY_HANDLE,
  type Envelope,
  errorOf,
  type Handle,
  handleOf,
  parseDestination,
  parsePayload,
  signedBytes
} from '../actor/index.ts'
import {
  type AbortOptions,
  type Clock,
  encodeGoJson,
  type JsonValue,
  type Millis,
  millis,
  parseJson,
  type Random,
  toNanos,
  utf8
} from '../base/index.ts'
import { generateKeyPair, parseActorId, parseDid } from '../identity/index.ts'
import { type CapabilityContext, encodeTokenList, type Token } from '../ucan/index.ts'
import type { Client } from './client.ts'
import { BadMessageError, BadReplyError } from './errors.ts'
import type { ServerEvent } from './event-stream.ts'

/** What every message of a session says. */
export interface MessageTerms {
  readonly behavior: string
  /** Encoded as Go does; missing = an empty payload. */
  readonly payload?: JsonValue
  /** How long the message lives; wins over `expiresAt`. Default 30 s (B §8.1). */
  readonly timeout?: Millis
  /** Until when the message lives, UNIX nanoseconds. */
  readonly expiresAt?: bigint
  /** The behaviour that replies invoke, instead of one that nobody can guess. */
  readonly replyTo?: string
}

/** A message to one actor. */
export interface DirectMessage extends MessageTerms {
  /** A DID, a peer id, or a handle as JSON; missing = the node itself. */
  readonly destination?: string
}

/** A message to everybody on a topic. */
export interface BroadcastMessage extends MessageTerms {
  readonly topic: string
}

/** A message to compose, and what it is for. */
export type Composition =
  | ({ readonly kind: 'send' | 'invoke' } & DirectMessage)
  | ({ readonly kind: 'broadcast' } & BroadcastMessage)

/** One user of a node, under a key of its own that nobody else ever had. */
export interface Session {
  /**
   * Makes the signed envelope of a message, with the tokens that prove what the context may do (B §8.1).
   *
   * @throws BadMessageError when the destination cannot be read.
   */
  compose(message: Composition, options?: AbortOptions): Promise<Envelope>
  /** Sends without waiting for a reply; resolves with the answer of the node. */
  send(message: DirectMessage, options?: AbortOptions): Promise<JsonValue>
  /**
   * Sends and resolves with the payload of the reply, `null` when it is empty.
   *
   * @throws RemoteError when the reply is an error.
   * @throws RefusedError, ClientUnavailableError, ClientTimeoutError, BadReplyError as {@link Client.invoke}.
   */
  invoke(message: DirectMessage, options?: AbortOptions): Promise<JsonValue>
  /**
   * Opens the stream of what happens on the node; it ends with the message, at its `timeout`.
   *
   * @param after - Id of the last event that is known; empty for all that the node keeps.
   */
  events(after: string, timeout: Millis, options?: AbortOptions): Promise<AsyncIterable<ServerEvent>>
  /** Publishes and resolves, when the message has expired, with the payloads of all replies that are JSON. */
  broadcast(message: BroadcastMessage, options?: AbortOptions): Promise<readonly JsonValue[]>
}

/** What a session is made of. */
export interface SessionOptions {
  readonly client: Client
  /** Whose rights the messages carry. */
  readonly context: CapabilityContext
  readonly clock: Clock
  readonly random: Random
}

/** The behaviour whose reply opens a stream; by name, so that no command loads all behaviours for it. */
const EVENTS = '/dms/node/events'

/** Creates a session with a fresh key. */
export function createSession(options: SessionOptions): Session {
  const { client, context, clock, random } = options
  const key = generateKeyPair(random)
  const nextNonce = createNonces(clock)

  async function tokensFor(envelope: Envelope, abort: AbortOptions): Promise<readonly Token[]> {
    const { to, topic, behavior, expiresAt, replyTo } = envelope
    const terms = { subject: key.actorId, expiresAt, now: clock.now() }
    if (topic !== '') return context.presentBroadcast({ ...terms, topic, capabilities: [behavior] }, abort)
    const target = parseDid(to.did)
    const audience = parseActorId(to.id)
    if (!target.ok || !audience.ok) throw new BadMessageError('the destination must have a did and an id')
    const delegate = replyTo === '' ? {} : { delegate: [replyTo] }
    return context.present({ ...terms, target: target.value, audience: audience.value, invoke: [behavior], ...delegate }, abort)
  }

  async function compose(message: Composition, abort: AbortOptions = {}): Promise<Envelope> {
    const node = await client.handle(abort)
    const name = unguessable(random)
    const unsealed: Envelope = {
      to: message.kind === 'broadcast' ? EMPTY_HANDLE : destinationOf(message.destination, node),
      behavior: message.behavior,
      from: handleOf(key, context.did, node.host, `user-${name}`),
      nonce: nextNonce(),
      expiresAt: expiryOf(message, clock),
      replyTo: message.replyTo ?? replyPath(message.kind, name),
      topic: message.kind === 'broadcast' ? message.topic : '',
      payload: message.payload === undefined ? new Uint8Array() : utf8(encodeGoJson(message.payload)),
      capabilities: new Uint8Array(),
      signature: new Uint8Array()
    }
    const proven = { ...unsealed, capabilities: utf8(encodeTokenList(await tokensFor(unsealed, abort))) }
    return { ...proven, signature: await key.sign(signedBytes(proven), abort) }
  }

  /** Asks once, and resolves with the payload of the reply, an error perhaps. */
  async function ask(message: DirectMessage, abort: AbortOptions | undefined): Promise<JsonValue> {
    const reply = await client.invoke(await compose({ ...message, kind: 'invoke' }, abort), abort)
    const payload = parsePayload(reply.payload)
    if (payload.ok) return payload.value
    throw new BadReplyError(`the reply to ${message.behavior} is not JSON: ${payload.error.message}`)
  }

  return {
    compose,
    send: async (message, abort) => client.send(await compose({ ...message, kind: 'send' }, abort), abort),
    async invoke(message, abort) {
      const expiresAt = expiryOf(message, clock)
      const { timeout: _timeout, ...terms } = { ...message, expiresAt }
      const payload = await ask(terms, abort)
      const chunked = chunkedOf(payload)
      if (chunked === undefined) return accepted(payload)
      return collectChunks(chunked, async (request) => {
        const piece = { ...terms, behavior: message.behavior + CHUNK_SUFFIX, payload: request }
        return accepted(await ask(piece, abort))
      })
    },
    async events(after, timeout, abort) {
      const message = { kind: 'invoke' as const, behavior: EVENTS, payload: { after }, timeout }
      return client.events(await compose(message, abort), abort)
    },
    async broadcast(message, abort) {
      const replies = await client.broadcast(await compose({ ...message, kind: 'broadcast' }, abort), abort)
      return replies.map(({ payload }) => parsePayload(payload)).flatMap((payload) => (payload.ok ? [payload.value] : []))
    }
  }
}

/** The payload of a reply that is no error. */
function accepted(payload: JsonValue): JsonValue {
  const failure = errorOf(payload)
  if (failure !== undefined) throw failure
  return payload
}

function destinationOf(text: string | undefined, node: Handle): Handle {
  if (text === undefined) return node
  const handle = parseDestination(text, parseJson)
  if (handle.ok) return handle.value
  throw new BadMessageError(`cannot read the destination ${JSON.stringify(text)}: ${handle.error.message}`)
}

function expiryOf({ timeout, expiresAt }: MessageTerms, clock: Clock): bigint {
  if (timeout === undefined && expiresAt !== undefined) return expiresAt
  return toNanos(millis(clock.now() + (timeout ?? DEFAULT_TIMEOUT)))
}

function replyPath(kind: Composition['kind'], name: bigint): string {
  switch (kind) {
    case 'send':
      return ''
    case 'invoke':
      return `/private/user/${name}`
    case 'broadcast':
      return `/public/user/${name}`
  }
}

/** A decimal that fits 64 bits, like the reference's, but random: who can guess it could send a reply first (B §11.1, 2). */
function unguessable(random: Random): bigint {
  return Buffer.from(random.bytes(8)).readBigUInt64BE()
}

/** UNIX nanoseconds (B §1.4), and one more where that would not be more: a node that comes back tells by them what is new. */
function createNonces(clock: Clock): () => bigint {
  let last = 0n
  return () => {
    const now = toNanos(clock.now())
    last = now > last ? now : last + 1n
    return last
  }
}
