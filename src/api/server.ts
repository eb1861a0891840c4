import { createServer, type IncomingMessage } from 'node:http'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { type Counters, type Handle, MAX_ENVELOPE_BYTES, type Relay } from '../actor/index.ts'
import {
  type Bytes,
  bytes,
  type Clock,
  errorMessage,
  type Logger,
  type Millis,
  mebibytes,
  millis,
  type Service,
  seconds,
  systemClock
} from '../base/index.ts'
import { type Admission, createAdmission } from './admission.ts'
import { MethodNotAllowedError, NoSuchRouteError } from './errors.ts'
import type { EventSource } from './event-stream.ts'
import { failureOf, toDmsError } from './failure.ts'
import { ANSWER_HEADERS, createGuard, type Guard, PREFLIGHT_HEADERS } from './guard.ts'
import type { Health } from './health.ts'
import { createListener, type Listener, type ListenPlace, type TcpPlace } from './listener.ts'
import { createOpenRequests, type OpenRequests } from './open-requests.ts'
import { addRoutes, sendJson } from './routes.ts'

/** Bounds of the interface. */
export interface ApiLimits {
  /** Largest body; default an envelope (1 MiB) and 64 KiB of white space. */
  readonly body: Bytes
  /** How long a client may take to send a request; default 30 s. */
  readonly receive: Millis
  /** Connections to the port at once; default 512. The socket has 64 of its own. */
  readonly connections: number
  /** Connections of one address at once; default 256. */
  readonly perAddress: number
  /** Requests that are served at once by the port; default 256. The socket has 64 of its own. */
  readonly requests: number
  /** Bytes of all bodies that came by the port and are still needed; default 32 MiB. The socket has 16 MiB of its own. */
  readonly bodies: Bytes
}

/** A Unix socket to listen on. */
export interface SocketPlace {
  readonly path: string
  /** Whether the node cannot do without it; otherwise a fault is logged, and the port serves alone. */
  readonly isRequired: boolean
}

/** What an {@link ApiServer} is made of. */
export interface ApiServerOptions {
  readonly tcp?: TcpPlace
  readonly socket?: SocketPlace
  readonly relay: Relay
  /** The root handle of the node; while a function gives none, requests fail as in the reference (B §8). */
  readonly handle: Handle | (() => Handle | undefined)
  /** What happens on the node; without it nobody can watch. */
  readonly events?: EventSource
  /** The OpenAPI document of the interface as JSON; asked when somebody wants it. */
  readonly openApi?: () => string
  /** How the node is; default that it works. */
  readonly health?: () => Promise<Health>
  readonly log: Logger
  /** Counts answers as `api.answers.<status>`. */
  readonly counters?: Pick<Counters, 'increment'>
  readonly limits?: Partial<ApiLimits>
  /** Bounds how long `stop` waits for answers, and beats in streams; default the clock of this machine. */
  readonly clock?: Clock
}

/** Where an {@link ApiServer} listens. */
export interface ApiPlaces {
  /** With the real port, once started. */
  readonly tcp?: TcpPlace
  readonly socket?: string
}

/** The REST gateway of a node. */
export interface ApiServer extends Service {
  /** Where it listens; nothing before it is started. */
  places(): ApiPlaces
}

const DEFAULT_LIMITS: ApiLimits = {
  body: bytes(MAX_ENVELOPE_BYTES + 65_536),
  receive: seconds(30),
  connections: 512,
  perAddress: 256,
  requests: 256,
  bodies: mebibytes(32)
}

/** What the socket allows, however busy the port is. */
const SOCKET_LIMITS = { connections: 64, requests: 64, bodies: mebibytes(16) }

/** Requests of one connection at once. */
const PIPELINED = 4

/** Bytes of the headers of one request. */
const HEADERS = bytes(16_384)

/** How long `stop` waits for the answers of requests that it interrupted. */
const STOP_TIME = millis(500)

/** One listener with what is checked for its requests. */
interface Entrance {
  readonly place: ListenPlace
  readonly listener: Listener
}

/** A started server. */
interface Running {
  readonly app: FastifyInstance
  readonly open: readonly Entrance[]
}

/**
 * Creates the REST gateway (B §8): transports the sealed messages of local clients, over a port and a Unix socket.
 *
 * It adds no rights: the addressed actor checks every message. Errors of `start`: `API_PORT_IN_USE`, `API_BAD_ADDRESS`,
 * `API_SOCKET_IN_USE`, `API_BAD_SOCKET`.
 */
export function createApiServer(options: ApiServerOptions): ApiServer {
  let running: Running | undefined
  let closing: Promise<void> | undefined

  async function close(): Promise<void> {
    const ending = running
    running = undefined
    if (ending === undefined) return
    for (const { listener } of ending.open) listener.refuse()
    await ending.app.close()
    await Promise.all(ending.open.map(({ listener }) => listener.close()))
  }

  return {
    name: 'api',
    async start() {
      const { app, entrances } = createApp(options)
      await app.ready()
      const open: Entrance[] = []
      running = { app, open }
      for (const entrance of entrances) {
        try {
          await entrance.listener.open()
          open.push(entrance)
        } catch (error) {
          if (entrance.place.type === 'unix' && options.socket?.isRequired === false) {
            options.log.warn('no socket beside the port', { error: errorMessage(error) })
            continue
          }
          await close()
          throw error
        }
      }
    },
    stop() {
      closing ??= close().finally(() => {
        closing = undefined
      })
      return closing
    },
    places: () => Object.assign({}, ...(running?.open ?? []).map(boundPlace)) as ApiPlaces
  }
}

function boundPlace({ place, listener }: Entrance): ApiPlaces {
  if (place.type === 'unix') return { socket: place.path }
  const { host, port } = place
  const bound = listener.server.address()
  return { tcp: { host, port: typeof bound === 'object' && bound !== null ? bound.port : port } }
}

function createApp(options: ApiServerOptions): { readonly app: FastifyInstance; readonly entrances: readonly Entrance[] } {
  const { relay, handle, log, counters, clock = systemClock, health = works } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const requests = createOpenRequests(clock)
  const refuse = createRefusal(limits, log)
  const checks = new WeakMap<IncomingMessage, EntranceChecks>()
  const entrances = placesOf(options).map((place): Entrance => {
    const ours = place.type === 'unix' ? { ...limits, ...SOCKET_LIMITS } : limits
    const check = checksOf(place, ours)
    const listener = createListener(place, { ...ours, headers: HEADERS }, (request, response) => {
      checks.set(request, check)
      app.routing(request, response)
    })
    return { place, listener }
  })
  const app: FastifyInstance = fastify({
    logger: false,
    bodyLimit: limits.body,
    // It never listens: the listeners are ours, and this one only has to exist.
    serverFactory: () => entrances[0]?.listener.server ?? createServer(),
    clientErrorHandler: () => undefined,
    frameworkErrors: refuse
  })
  // Whatever type a client names, the body is an envelope; it is parsed by the routes, without losing 64-bit integers.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  app.setErrorHandler(refuse)
  app.setNotFoundHandler((request) => {
    throw missingRoute(app, request)
  })
  app.addHook('onResponse', async (_request, reply) => counters?.increment(`api.answers.${reply.statusCode}`))
  guardRequests(app, checks, requests)
  addRoutes(app, {
    relay,
    requests,
    handle: typeof handle === 'function' ? handle : () => handle,
    health,
    events: options.events,
    openApi: options.openApi,
    clock
  })
  return { app, entrances }
}

function placesOf({ tcp, socket }: ApiServerOptions): readonly ListenPlace[] {
  return [
    ...(tcp === undefined ? [] : [{ type: 'tcp' as const, ...tcp }]),
    ...(socket === undefined ? [] : [{ type: 'unix' as const, path: socket.path }])
  ]
}

interface EntranceChecks {
  readonly guard: Guard
  readonly admission: Admission
}

function checksOf(place: ListenPlace, limits: Pick<ApiLimits, 'requests' | 'bodies' | 'body'>): EntranceChecks {
  const { requests, bodies, body } = limits
  return {
    guard: createGuard(place.type === 'tcp' ? place.host : undefined),
    admission: createAdmission({ requests, bodies, body, perConnection: PIPELINED })
  }
}

function guardRequests(app: FastifyInstance, checks: WeakMap<IncomingMessage, EntranceChecks>, requests: OpenRequests): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(ANSWER_HEADERS)
    const check = checks.get(request.raw)
    if (check === undefined) throw new NoSuchRouteError('the request came by no listener')
    reply.headers(check.guard.check(request.headers))
    if (request.method === 'OPTIONS' && request.headers.origin !== undefined) {
      return reply.headers(PREFLIGHT_HEADERS).code(204).send()
    }
    check.admission.admit(request.raw, reply.raw)
    return undefined
  })
  app.addHook('preClose', () => requests.end(STOP_TIME))
}

function createRefusal(limits: ApiLimits, log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const failure = failureOf(toDmsError(error, request.id, limits.body, log))
    log.debug('request refused', { method: request.method, url: request.url, status: failure.status, error: errorMessage(error) })
    void sendJson(reply.code(failure.status), failure.body)
  }
}

/** Paths that could be routes; the router would read `:`, `*` and `(` of others as a pattern, and fail. */
const PLAIN_PATH = /^[\w/.-]+$/

const METHODS = ['GET', 'HEAD', 'POST'] as const

function missingRoute(app: FastifyInstance, { method, url }: FastifyRequest): Error {
  const [path = ''] = url.split('?')
  const allowed = METHODS.filter((candidate) => PLAIN_PATH.test(path) && app.hasRoute({ url: path, method: candidate }))
  if (allowed.length === 0) return new NoSuchRouteError(`there is nothing at ${path}`)
  return new MethodNotAllowedError(`${path} does not take ${method}, only ${allowed.join(' and ')}`)
}

async function works(): Promise<Health> {
  return { isStarted: true, parts: {}, hasPeers: false, executors: [] }
}
