import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import {
  type AbortOptions,
  anySignal,
  CancelledError,
  type Clock,
  DmsError,
  errorMessage,
  type Millis,
  mebibytes,
  seconds,
  withTimeout
} from '../../base/index.ts'
import { ExecutorUnavailableError } from '../errors.ts'

/** Any response that is not a stream is smaller: a list of containers has about 2 KiB for each. */
const MAX_RESPONSE = mebibytes(16)
/** A daemon that answers nothing for so long is not there. */
export const CALL_LIMIT = seconds(60)
/** Older daemons lack what this driver relies on. */
const OLDEST_API = 41
/** The newest API (of the 1.x series) whose fields this driver knows. */
const NEWEST_API = 51

/** One call of the Engine API. */
export interface DockerCall extends AbortOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Without version: `/containers/json`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** Sent as JSON, or as it is when it is bytes. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Default: {@link CALL_LIMIT}; for a stream the time until it begins. */
  readonly limit?: Millis
}

/** An answer of the daemon, whatever it thinks of the call. */
export interface DockerAnswer {
  readonly status: number
  /** Parsed JSON, or `undefined` when there is none. */
  readonly body: unknown
}

/** The Engine API over a unix socket. Every method throws `ExecutorUnavailableError` when the daemon does not answer. */
export interface DockerClient {
  call(call: DockerCall): Promise<DockerAnswer>
  /** A response to be read piece by piece; destroyed when the signal is aborted. A refusal is thrown by `refuse`. */
  stream(call: DockerCall, refuse: (answer: DockerAnswer) => DmsError): Promise<IncomingMessage>
  /** The API version to speak, such as `1.41`. */
  version(options?: AbortOptions): Promise<string>
}

/**
 * A client without an open connection; each call makes its own, and none outlives its call.
 *
 * @param findSocket - Gives the path of the socket; called for each call, which fails with what it throws.
 */
export function createDockerClient(findSocket: () => string, clock: Clock): DockerClient {
  const agent = new Agent({ keepAlive: false })
  let negotiated: string | undefined

  const open = async (path: string, call: DockerCall, signal: AbortSignal): Promise<IncomingMessage> =>
    openResponse({ socketPath: findSocket(), agent, signal, path: `${path}${queryText(call.query)}` }, call)

  async function version(options: AbortOptions = {}): Promise<string> {
    negotiated ??= await negotiate(options)
    return negotiated
  }

  async function negotiate({ signal }: AbortOptions): Promise<string> {
    const ping: DockerCall = { method: 'GET', path: '/_ping' }
    return bounded(clock, { ...ping, ...(signal === undefined ? {} : { signal }) }, async (inner) => {
      const response = await open('/_ping', ping, inner)
      response.resume()
      const offered = /^1\.(\d+)$/.exec(String(response.headers['api-version']))?.[1]
      if (offered === undefined || Number(offered) < OLDEST_API) {
        throw new ExecutorUnavailableError(
          `Docker speaks version ${JSON.stringify(response.headers['api-version'] ?? 'unknown')}, at least 1.${OLDEST_API} is needed`
        )
      }
      return `1.${Math.min(Number(offered), NEWEST_API)}`
    })
  }

  return {
    version,
    async call(call) {
      return bounded(clock, call, async (signal) => {
        const path = `/v${await version({ signal })}${call.path}`
        const response = await open(path, call, signal)
        return { status: response.statusCode ?? 0, body: parseBody(await readAll(response)) }
      })
    },
    async stream(call, refuse) {
      const stop = new AbortController() // lives as long as the stream, unlike the time limit
      const signal = anySignal(stop.signal, call.signal)
      try {
        return await bounded(clock, call, async () => {
          const response = await open(`/v${await version({ signal })}${call.path}`, call, signal)
          if ((response.statusCode ?? 0) < 300) return response
          throw refuse({ status: response.statusCode ?? 0, body: parseBody(await readAll(response)) })
        })
      } catch (error) {
        stop.abort()
        throw error
      }
    }
  }
}

/** Resolves when the head of the answer is there. */
function openResponse(target: RequestOptions & { readonly socketPath: string }, call: DockerCall): Promise<IncomingMessage> {
  const body = encodeBody(call.body)
  const headers = {
    host: 'docker',
    ...(body === undefined ? {} : { 'content-type': contentType(call.body), 'content-length': body.length }),
    ...call.headers
  }
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...target, method: call.method, headers })
    request.once('response', resolve)
    request.on('error', (cause) => reject(unavailable(target.socketPath, cause))) // `on`: a second one must not end the process
    request.end(body)
  })
}

/** What the daemon says about a refusal, shortened. */
export function refusalText({ status, body }: DockerAnswer): string {
  const message = typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined
  return typeof message === 'string' && message !== '' ? message.trim().slice(0, 1000) : `status ${status}`
}

/** The error for a connection that failed or broke; a cancelled call stays one. */
export function unavailable(socketPath: string, cause: unknown): DmsError {
  if (cause instanceof DmsError) return cause
  if (cause instanceof Error && cause.name === 'AbortError') return new CancelledError('the call to Docker was cancelled')
  return new ExecutorUnavailableError(`Docker does not answer at ${socketPath}: ${errorMessage(cause)}`, { cause })
}

function bounded<T>(clock: Clock, call: DockerCall, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { limit = CALL_LIMIT, signal } = call
  return withTimeout(clock, limit, `${call.method} ${call.path}`, work, signal === undefined ? {} : { signal })
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.length
      if (size > MAX_RESPONSE) throw new ExecutorUnavailableError(`an answer of Docker is larger than ${MAX_RESPONSE} bytes`)
      parts.push(part)
    }
  } catch (error) {
    throw unavailable('its socket', error)
  }
  return Buffer.concat(parts)
}

function parseBody(content: Buffer): unknown {
  if (content.length === 0) return undefined
  try {
    return JSON.parse(content.toString('utf8')) as unknown
  } catch {
    return undefined // plain text, as from a proxy: the status says enough
  }
}

function encodeBody(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined
  return body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(JSON.stringify(body))
}

function contentType(body: unknown): string {
  return body instanceof Uint8Array ? 'application/x-tar' : 'application/json'
}

function queryText(query: Readonly<Record<string, string>> | undefined): string {
  return query === undefined ? '' : `?${new URLSearchParams(query).toString()}`
}
