import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http'
import {
  type AbortOptions,
  type Clock,
  DmsError,
  errorMessage,
  hasErrno,
  type LinkedSignal,
  linkSignals,
  type Millis,
  seconds,
  TimeoutError,
  withTimeout
} from '../base/index.ts'
import { BadReplyError, ClientTimeoutError, ClientUnavailableError } from './errors.ts'
import { type ClientPlaces, nameOf, type Place, placesToTry } from './places.ts'

/** One request to the node. */
export interface Call extends AbortOptions {
  readonly path: string
  /** Sent as JSON with POST; without it, the request is a GET. */
  readonly body?: string
  /** How long everything may take. */
  readonly timeout: Millis
  /** Longest answer in bytes that is read. */
  readonly limit: number
}

/** What a node answered. */
export interface Answer {
  readonly status: number
  readonly text: string
}

/** Sends requests to one node. */
export type Caller = (call: Call) => Promise<Answer>

/** How long a connection may take to be made (B §8.1). */
const CONNECT_TIMEOUT = seconds(10)

/** Errno names that say that nobody is there. */
const ABSENT: readonly string[] = [
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
  // of a socket: it is gone, or is not for this user
  'ENOENT',
  'EACCES'
]

function isAbsent(error: unknown): boolean {
  return ABSENT.some((name) => hasErrno(error, name))
}

/** What callers are made of. */
export interface CallerOptions {
  readonly places: ClientPlaces
  readonly clock: Clock
}

/** Longest time without a byte of an open answer; the node says every 15 s that it is there. */
const SILENCE = seconds(45)

/** Creates a caller. Connections are not kept: a command makes two requests, and a kept one may be closed while it is reused. */
export function createCaller({ places, clock }: CallerOptions): Caller {
  async function callAt(place: Place, call: Call): Promise<Answer> {
    const { timeout, limit, signal } = call
    const work = async (inner: AbortSignal): Promise<Answer> => {
      const incoming = await answerTo(place, { ...call, signal: inner }, clock)
      return { status: incoming.statusCode ?? 0, text: await readText(incoming, limit) }
    }
    try {
      return await withTimeout(clock, timeout, 'the request', work, signal === undefined ? {} : { signal })
    } catch (error) {
      throw explain(error, nameOf(place), timeout)
    }
  }

  return (call) => atOnePlace(places, (place) => callAt(place, call))
}

/** Opens answers that have no end, such as a stream of events. */
export type Opener = (call: Omit<Call, 'limit'>) => Promise<OpenAnswer>

/** An answer whose body is read while it comes. */
export interface OpenAnswer {
  readonly status: number
  /** Fails when the connection breaks, and when nothing came for {@link SILENCE}. */
  readonly chunks: AsyncIterable<Uint8Array>
}

/** Creates an opener; the timeout of a call is only for the beginning of its answer. */
export function createOpener({ places, clock }: CallerOptions): Opener {
  async function openAt(place: Place, call: Omit<Call, 'limit'>): Promise<OpenAnswer> {
    const lifetime = linkSignals(call.signal)
    try {
      const work = (): Promise<IncomingMessage> => answerTo(place, { ...call, signal: lifetime.signal }, clock)
      const incoming = await withTimeout(clock, call.timeout, 'the request', work, lifetime)
      incoming.setTimeout(SILENCE, () => incoming.destroy(new ClientTimeoutError(`nothing came for ${SILENCE} ms`)))
      return { status: incoming.statusCode ?? 0, chunks: readChunks(incoming, place, lifetime) }
    } catch (error) {
      lifetime.end()
      throw explain(error, nameOf(place), call.timeout)
    }
  }

  return (call) => atOnePlace(places, (place) => openAt(place, call))
}

async function* readChunks(incoming: IncomingMessage, place: Place, lifetime: LinkedSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of incoming as AsyncIterable<Uint8Array>) yield chunk
  } catch (error) {
    throw explain(error, nameOf(place), SILENCE)
  } finally {
    lifetime.end()
  }
}

/** Tries the second place when nobody is at the first: nothing was sent then, so nothing can happen twice. */
async function atOnePlace<T>(places: ClientPlaces, work: (place: Place) => Promise<T>): Promise<T> {
  const [first, second] = placesToTry(places)
  if (second === undefined) return await work(first)
  try {
    return await work(first)
  } catch (error) {
    if (error instanceof ClientUnavailableError && isAbsent(error.cause)) return await work(second)
    throw error
  }
}

/** Sends a request and resolves with the head of its answer. */
function answerTo(place: Place, { path, body, signal }: Omit<Call, 'limit'>, clock: Clock): Promise<IncomingMessage> {
  const outgoing = request({
    agent: new Agent({ keepAlive: false }),
    ...addressOf(place),
    path,
    method: body === undefined ? 'GET' : 'POST',
    headers: body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
    ...(signal === undefined ? {} : { signal })
  })
  void limitConnect(outgoing, clock)
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.once('response', resolve)
    outgoing.end(body)
  })
}

function addressOf(place: Place): Pick<RequestOptions, 'host' | 'port' | 'socketPath'> {
  return place.type === 'unix' ? { socketPath: place.path, host: 'localhost' } : { host: place.host, port: place.port }
}

/** Gives a request up whose connection takes too long. */
async function limitConnect(outgoing: ClientRequest, clock: Clock): Promise<void> {
  const settled = new AbortController()
  const settle = (): void => settled.abort()
  outgoing.once('close', settle)
  outgoing.once('socket', (socket) => socket.once('connect', settle))
  const isLate = await clock.sleep(CONNECT_TIMEOUT, { signal: settled.signal }).then(
    () => true,
    () => false
  )
  if (isLate) outgoing.destroy(new ClientUnavailableError(`no connection within ${CONNECT_TIMEOUT} ms`))
}

function readText(incoming: IncomingMessage, limit: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    incoming.on('error', reject)
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) incoming.destroy(new BadReplyError(`the answer of the node has more than ${limit} bytes`))
      else chunks.push(chunk)
    })
    incoming.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
  })
}

function explain(error: unknown, place: string, timeout: Millis): DmsError {
  if (error instanceof TimeoutError) {
    return new ClientTimeoutError(`request timeout: the DMS at ${place} did not answer within ${timeout} ms`, {
      cause: error
    })
  }
  if (error instanceof ClientUnavailableError || isAbsent(error)) {
    return new ClientUnavailableError(`cannot reach the DMS at ${place}: is it running? (nunet run)`, { cause: error })
  }
  if (error instanceof DmsError) return error
  return new ClientUnavailableError(`the connection to the DMS at ${place} broke: ${errorMessage(error)}`, { cause: error })
}
