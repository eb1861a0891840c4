import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { type Counters, type Handle, MAX_ENVELOPE_BYTES, type Relay } from '../actor/index.ts'
import {
  type Bytes,
  bytes,
  type Clock,
  errorMessage,
  hasErrno,
  type Logger,
  type Millis,
  millis,
  type Service,
  seconds,
  systemClock
} from '../base/index.ts'
import { ApiAddressError, ApiListenError, MethodNotAllowedError, NoSuchRouteError } from './errors.ts'
import { failureOf, toDmsError } from './failure.ts'
import { createGuard, PREFLIGHT_HEADERS } from './guard.ts'
import { createOpenRequests, type OpenRequests } from './open-requests.ts'
import { addRoutes, sendJson } from './routes.ts'

/** Bounds of the interface. */
export interface ApiLimits {
  /** Largest body; default an envelope (1 MiB) and 64 KiB of white space. */
  readonly body: Bytes
  /** How long a client may take to send a request; default 30 s. */
  readonly receive: Millis
  /** Connections at once; default 512. */
  readonly connections: number
}

/** What an {@link ApiServer} is made of. */
export interface ApiServerOptions {
  /** Address to listen on, `rest.addr`. */
  readonly host: string
  /** Port to listen on, `rest.port`; 0 takes a free one. */
  readonly port: number
  readonly relay: Relay
  /** The root handle of the node; while a function gives none, requests fail as in the reference (B §8). */
  readonly handle: Handle | (() => Handle | undefined)
  readonly log: Logger
  /** Counts answers as `api.answers.<status>`. */
  readonly counters?: Pick<Counters, 'increment'>
  readonly limits?: Partial<ApiLimits>
  /** Only bounds how long `stop` waits for answers; default the clock of this machine. */
  readonly clock?: Clock
}

/** The REST gateway of a node. */
export interface ApiServer extends Service {
  /** Where it listens: as configured, and with the real port once started. */
  address(): { readonly host: string; readonly port: number }
}

const DEFAULT_LIMITS: ApiLimits = { body: bytes(MAX_ENVELOPE_BYTES + 65_536), receive: seconds(30), connections: 512 }

/** How long `stop` waits for the answers of requests that it interrupted. */
const STOP_TIME = millis(500)

/** How long an idle connection is kept. */
const KEEP_ALIVE = seconds(5)

/** How often connections are checked for clients that take too long. */
const CHECK_INTERVAL = seconds(5)

/**
 * Creates the REST gateway (B §8): transports the sealed messages of local clients.
 *
 * It adds no rights: the addressed actor checks every message. `start` throws {@link ApiListenError} when the port is in use.
 */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const { host, port } = options
  let app: FastifyInstance | undefined
  let closing: Promise<void> | undefined

  async function close(): Promise<void> {
    await app?.close()
    app = undefined
  }

  return {
    name: 'api',
    async start() {
      app = createApp(options)
      try {
        await app.listen({ host, port })
      } catch (error) {
        await close()
        throw listenFailure(error, host, port)
      }
    },
    stop() {
      closing ??= close().finally(() => {
        closing = undefined
      })
      return closing
    },
    address() {
      const bound = app?.server.address()
      return { host, port: typeof bound === 'object' && bound !== null ? bound.port : port }
    }
  }
}

function listenFailure(error: unknown, host: string, port: number): Error {
  const place = `${host}:${port}`
  if (hasErrno(error, 'EADDRINUSE')) {
    return new ApiListenError(
      `cannot listen on ${place}: another program, perhaps another DMS, uses this port; choose another one with rest.port`,
      { cause: error, details: { host, port } }
    )
  }
  return new ApiAddressError(`cannot listen on ${place} (rest.addr, rest.port): ${errorMessage(error)}`, {
    cause: error,
    details: { host, port }
  })
}

function createApp(options: ApiServerOptions): FastifyInstance {
  const { host, relay, handle, log, counters, clock = systemClock } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const requests = createOpenRequests(clock)
  const refuse = createRefusal(limits, log)
  const app = fastify({
    logger: false,
    bodyLimit: limits.body,
    requestTimeout: limits.receive,
    keepAliveTimeout: KEEP_ALIVE,
    forceCloseConnections: true,
    http: { headersTimeout: limits.receive, connectionsCheckingInterval: Math.min(CHECK_INTERVAL, limits.receive) },
    frameworkErrors: refuse
  })
  app.server.maxConnections = limits.connections
  // Whatever type a client names, the body is an envelope; it is parsed by the routes, without losing 64-bit integers.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  app.setErrorHandler(refuse)
  app.setNotFoundHandler((request) => {
    throw missingRoute(app, request)
  })
  app.addHook('onResponse', async (_request, reply) => counters?.increment(`api.answers.${reply.statusCode}`))
  guardRequests(app, host, requests)
  addRoutes(app, { relay, requests, handle: typeof handle === 'function' ? handle : () => handle })
  return app
}

function guardRequests(app: FastifyInstance, host: string, requests: OpenRequests): void {
  const guard = createGuard(host)
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers
    reply.headers(guard.check(request.headers))
    if (request.method !== 'OPTIONS' || origin === undefined) return undefined
    return reply.headers(PREFLIGHT_HEADERS).code(204).send()
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
const PLAIN_PATH = /^[\w/-]+$/

const METHODS = ['GET', 'HEAD', 'POST'] as const

function missingRoute(app: FastifyInstance, { method, url }: FastifyRequest): Error {
  const [path = ''] = url.split('?')
  const allowed = METHODS.filter((candidate) => PLAIN_PATH.test(path) && app.hasRoute({ url: path, method: candidate }))
  if (allowed.length === 0) return new NoSuchRouteError(`there is nothing at ${path}`)
  return new MethodNotAllowedError(`${path} does not take ${method}, only ${allowed.join(' and ')}`)
}
