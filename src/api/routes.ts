import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  type Envelope,
  encodeEnvelope,
  errorOf,
  type Handle,
  handleToJson,
  isBroadcast,
  parseEnvelope,
  parsePayload,
  type Relay
} from '../actor/index.ts'
import { CancelledError, type Clock, describeIssues, encodeGoJson, parseJson, seconds, withTimeout } from '../base/index.ts'
import { BadBodyError, NotInitializedError, StoppingError } from './errors.ts'
import { type EventSource, openEventStream } from './event-stream.ts'
import { type Health, type HealthAnswer, healthAnswer, liveAnswer, readyAnswer } from './health.ts'
import type { OpenRequests } from './open-requests.ts'

/** What the routes speak to. */
export interface RoutesOptions {
  readonly relay: Relay
  /** The root handle of the node, once it has one. */
  readonly handle: () => Handle | undefined
  readonly requests: OpenRequests
  readonly health: () => Promise<Health>
  /** What happens on the node; missing where nobody may watch it. */
  readonly events: EventSource | undefined
  /** The OpenAPI document as JSON. */
  readonly openApi: (() => string) | undefined
  readonly clock: Clock
}

/** Serves one sealed message; the text is the JSON of the answer. */
type Serve = (envelope: Envelope, options: { readonly signal: AbortSignal }) => Promise<string>

const ACTOR = '/api/v1/actor'

const EVENTS = '/api/v1/events'

const JSON_TYPE = 'application/json; charset=utf-8'

const STREAM_TYPE = 'text/event-stream; charset=utf-8'

/** How long the node may take to allow a stream. */
const TICKET_TIME = seconds(10)

/** Adds the routes of B §8, and ours. */
export function addRoutes(app: FastifyInstance, options: RoutesOptions): void {
  addDescriptions(app, options)
  addTransports(app, options)
  if (options.events !== undefined) addStream(app, options, options.events)
}

/** What anybody may know: how the node is, who it is and how it is spoken to. */
function addDescriptions(app: FastifyInstance, { health, handle, openApi }: RoutesOptions): void {
  const tell = async (reply: FastifyReply, answer: (health: Health) => HealthAnswer): Promise<FastifyReply> => {
    const { status, body } = answer(await health())
    return sendJson(reply.code(status), body)
  }

  app.get('/health', (_request, reply) => tell(reply, healthAnswer))
  app.get('/health/live', (_request, reply) => sendJson(reply, liveAnswer().body))
  app.get('/health/ready', (_request, reply) => tell(reply, readyAnswer))
  app.get(`${ACTOR}/handle`, (_request, reply) => sendJson(reply, encodeGoJson(handleToJson(rootOf(handle)))))
  if (openApi === undefined) return
  for (const path of ['/api/v1/openapi.json', '/openapi.json']) app.get(path, (_request, reply) => sendJson(reply, openApi()))
}

function addTransports(app: FastifyInstance, { relay, handle, requests }: RoutesOptions): void {
  async function transport(request: FastifyRequest, reply: FastifyReply, serve: Serve): Promise<string> {
    rootOf(handle)
    const envelope = readEnvelope(request.body)
    const answer = await unlessStopped(requests, () => serve(envelope, { signal: requests.open(reply.raw) }))
    void reply.type(JSON_TYPE)
    return answer
  }

  app.post(`${ACTOR}/send`, (request, reply) =>
    transport(request, reply, async (envelope, options) => {
      await relay.relaySend(envelope, options)
      return encodeGoJson({ message: 'message sent' })
    })
  )
  app.post(`${ACTOR}/invoke`, (request, reply) =>
    transport(request, reply, async (envelope, options) => encodeEnvelope(await relay.relayInvoke(envelope, options)))
  )
  app.post(`${ACTOR}/broadcast`, (request, reply) =>
    transport(request, reply, async (envelope, options) => {
      if (!isBroadcast(envelope)) throw new BadBodyError('message is not a broadcast message')
      const replies = await relay.relayBroadcast(envelope, options)
      return replies.length === 0 ? 'null' : `[${replies.map(encodeEnvelope).join(',')}]`
    })
  )
}

/** A stream is opened by the reply of the root actor, so it is for whoever may invoke the behaviour. */
function addStream(app: FastifyInstance, { relay, handle, requests, clock }: RoutesOptions, source: EventSource): void {
  app.post(EVENTS, async (request, reply) => {
    const { id } = rootOf(handle)
    const envelope = readEnvelope(request.body)
    if (envelope.to.id !== id || envelope.behavior !== source.behavior) {
      throw new BadBodyError(`a stream is opened by a message to the root actor of this node for ${source.behavior}`)
    }
    const signal = requests.open(reply.raw)
    // Strangers get no reply at all, and a message that opens a stream lives long.
    const sealed = await unlessStopped(requests, () =>
      withTimeout(clock, TICKET_TIME, 'opening the stream', (inner) => relay.relayInvoke(envelope, { signal: inner }), { signal })
    )
    const payload = parsePayload(sealed.payload)
    if (!payload.ok) throw new BadBodyError(`the reply is not JSON: ${payload.error.message}`)
    const failure = errorOf(payload.value)
    if (failure !== undefined) throw failure
    const known = request.headers['last-event-id']
    const after = typeof known === 'string' ? known : undefined
    return reply.type(STREAM_TYPE).send(openEventStream({ source, reply: payload.value, after, clock, signal }))
  })
}

function rootOf(handle: RoutesOptions['handle']): Handle {
  const root = handle()
  if (root === undefined) throw new NotInitializedError("host node hasn't yet been initialized")
  return root
}

async function unlessStopped<T>(requests: OpenRequests, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CancelledError && requests.isEnding) {
      throw new StoppingError('the node stopped before the reply came', { cause: error })
    }
    throw error
  }
}

/** Answers with JSON that is encoded already, so that 64-bit integers and signed values stay exact. */
export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type(JSON_TYPE).send(text)
}

function readEnvelope(body: unknown): Envelope {
  if (typeof body !== 'string' || body === '') throw new BadBodyError('the request has no body; it must be an envelope as JSON')
  const json = parseJson(body)
  if (!json.ok) throw new BadBodyError(json.error.message)
  const envelope = parseEnvelope(json.value)
  if (!envelope.ok) throw new BadBodyError(`the body is not an envelope: ${describeIssues([envelope.error])}`)
  return envelope.value
}
