import { type IncomingHttpHeaders, request } from 'node:http'
import { type ActorSystem, type Behavior, createActorSystem, SILENCE } from '../../src/actor/index.ts'
import { type ApiServer, type ApiServerOptions, createApiServer } from '../../src/api/index.ts'
import {
  CancelledError,
  type Clock,
  DmsError,
  type JsonValue,
  type Millis,
  millis,
  ok,
  silentLogger,
  systemRandom
} from '../../src/base/index.ts'
import { type Client, createClient, createSession, type Session, type TcpPlace } from '../../src/client/index.ts'
import { generateKeyPair, type KeyPair } from '../../src/identity/index.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../src/testing/memory-network.ts'
import { createContext } from '../../src/ucan/index.ts'

/** A clock that stands until it is told to go on. */
export interface ManualClock extends Clock {
  /** Fires what is due within `duration`. */
  advance(duration: Millis): void
  /** The sleepers, by how long they still sleep. */
  waiting(): readonly number[]
}

/** Creates a clock that stands in 2026. */
export function createManualClock(): ManualClock {
  const sleepers = new Map<() => void, number>()
  let now = 1_770_000_000_000
  return {
    now: () => millis(now),
    sleep: (duration, { signal } = {}) =>
      new Promise((resolve, reject) => {
        const cancel = (): void => {
          sleepers.delete(resolve)
          reject(new CancelledError('sleep was cancelled'))
        }
        if (signal?.aborted === true) return cancel()
        sleepers.set(resolve, now + duration)
        signal?.addEventListener('abort', cancel, { once: true })
      }),
    advance(duration) {
      now += duration
      for (const [wake, at] of sleepers) {
        if (at > now) continue
        sleepers.delete(wake)
        wake()
      }
    },
    waiting: () => [...sleepers.values()].map((at) => at - now)
  }
}

/** Two linked nodes with their actors; the first has a REST gateway, and both trust the same user. */
export interface Gateway {
  readonly clock: ManualClock
  readonly network: MemoryNetwork
  readonly near: ActorSystem
  readonly far: ActorSystem
  readonly user: KeyPair
  readonly api: ApiServer
  /** The port that it listens on, or listened on last. */
  tcp(): TcpPlace
  readonly client: Client
  /** A session of the user. */
  readonly session: Session
  /** Lets the behaviour `/test/held` of the far node answer. */
  release(): void
  stop(): Promise<void>
}

/** The topic on which the far node answers. */
export const TEST_TOPIC = '/nunet/test'

class TestError extends DmsError {
  readonly code = 'TEST_FAILED'
  readonly kind = 'conflict'
}

const json = { decode: (wire: unknown) => ok(wire as JsonValue), encode: (value: JsonValue) => value }

function behavior(name: string): Behavior<JsonValue, JsonValue> {
  return { name, request: json, reply: json }
}

/** Starts a {@link Gateway} on a free port. */
export async function startGateway(options: Partial<ApiServerOptions> = {}): Promise<Gateway> {
  const clock = createManualClock()
  const network = createMemoryNetwork({ clock })
  const user = generateKeyPair()
  const near = await startNode(network, clock, user)
  const far = await startNode(network, clock, user)
  network.link(near.root.handle.host, far.root.handle.host)
  const held = serveTests(far)
  serveTests(near)
  const api = createApiServer({
    tcp: { host: '127.0.0.1', port: 0 },
    relay: near,
    handle: near.root.handle,
    log: silentLogger,
    clock,
    ...options
  })
  await api.start()
  let port = api.places().tcp
  const tcp = (): TcpPlace => {
    port = api.places().tcp ?? port
    if (port === undefined) throw new Error('the gateway has no port')
    return port
  }
  const client = createClient({ ...api.places(), clock })
  const session = createSession({ client, context: createContext({ signer: user }), clock, random: systemRandom })
  return {
    clock,
    network,
    near,
    far,
    user,
    api,
    tcp,
    client,
    session,
    release: held.release,
    async stop() {
      held.release()
      await api.stop()
      await near.stop()
      await far.stop()
    }
  }
}

async function startNode(network: MemoryNetwork, clock: Clock, user: KeyPair): Promise<ActorSystem> {
  const key = generateKeyPair()
  const host = network.host(key.peerId)
  const context = createContext({ signer: key, anchors: { roots: [user.did], require: [], provide: [], revoke: [] } })
  const counters = { increment: () => undefined, snapshot: () => ({}) }
  const actors = createActorSystem({
    key,
    context,
    transport: host,
    clock,
    random: systemRandom,
    log: silentLogger,
    counters
  })
  await host.start()
  await actors.start()
  actors.serve()
  return actors
}

function serveTests({ root }: ActorSystem): { release(): void } {
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  root.on(behavior('/test/echo'), async (payload) => payload)
  root.on(behavior('/test/silent'), async () => SILENCE)
  root.on(behavior('/test/fail'), async () => {
    throw new TestError('something is in the way', { details: { attempts: 3 } })
  })
  root.on(behavior('/test/held'), async () => {
    await released
    return 'the real reply'
  })
  root.on({ ...behavior('/broadcast/test'), topic: TEST_TOPIC }, async (payload) => payload)
  return { release: () => release() }
}

/** What came back of a raw request. */
export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Sends a request with exactly these headers; also ones that a well-behaved client would not send. */
export function rawRequest(
  place: { readonly port: number } | { readonly socketPath: string },
  method: string,
  path: string,
  {
    body,
    headers = {},
    signal
  }: { readonly body?: string; readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal } = {}
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      ...('port' in place ? { port: place.port } : place),
      method,
      path,
      agent: false,
      headers: { Host: '127.0.0.1', ...headers },
      ...(signal === undefined ? {} : { signal })
    })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('error', reject)
      incoming.on('data', (chunk: string) => {
        text += chunk
      })
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }))
    })
    outgoing.end(body)
  })
}
