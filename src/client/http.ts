import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http'
import {
  type AbortOptions,
  type Clock,
  DmsError,
  errorMessage,
  hasErrno,
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

/** Creates a caller. Connections are not kept: a command makes two requests, and a kept one may be closed while it is reused. */
export function createCaller({ places, clock }: { readonly places: ClientPlaces; readonly clock: Clock }): Caller {
  const agent = new Agent({ keepAlive: false })

  async function callAt(place: Place, { path, body, timeout, limit, signal }: Call): Promise<Answer> {
    const work = (inner: AbortSignal): Promise<Answer> => {
      const outgoing = request({
        agent,
        ...addressOf(place),
        path,
        method: body === undefined ? 'GET' : 'POST',
        headers: body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
        signal: inner
      })
      void limitConnect(outgoing, clock)
      return exchange(outgoing, body, limit)
    }
    try {
      return await withTimeout(clock, timeout, 'the request', work, signal === undefined ? {} : { signal })
    } catch (error) {
      throw explain(error, nameOf(place), timeout)
    }
  }

  return async (call) => {
    const [first, second] = placesToTry(places)
    if (second === undefined) return await callAt(first, call)
    try {
      return await callAt(first, call)
    } catch (error) {
      // Nothing was sent yet, so nothing can happen twice.
      if (error instanceof ClientUnavailableError && isAbsent(error.cause)) return await callAt(second, call)
      throw error
    }
  }
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

function exchange(outgoing: ClientRequest, body: string | undefined, limit: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.once('response', (incoming) => {
      readText(incoming, limit).then((text) => resolve({ status: incoming.statusCode ?? 0, text }), reject)
    })
    outgoing.end(body)
  })
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
