import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import {
  type AbortOptions,
  type AddressLookup,
  CancelledError,
  type Clock,
  createPublicLookup,
  isListedHost,
  type Millis,
  PrivateAddressError,
  refusePrivateHost,
  setAlarm
} from '../base/index.ts'
import { ImageDeniedError, ImageRegistryFailedError, ImageRegistryRefusedError, ImageStalledError } from './errors.ts'

/** Where strangers may have this machine connect to, beside the public Internet. Entries are `host` or `host:port`. */
export interface RegistryRules {
  /** May lie in private networks and on this machine. */
  readonly allowedPrivate: readonly string[]
  /** As above, and need no encryption, or have certificates that nobody vouches for. */
  readonly insecure: readonly string[]
}

/** What a connection needs. */
export interface ConnectionOptions {
  readonly rules: RegistryRules
  readonly clock: Clock
  /** Without a byte for so long, the registry counts as stalled. */
  readonly stallLimit: Millis
  /** Default: that of the system. */
  readonly lookup?: AddressLookup
}

/** One request. */
export interface Call extends AbortOptions {
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer whose body is not read yet. */
export interface Answer {
  readonly url: URL
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** The body; ends with {@link ImageStalledError} when nothing comes. Must be read to its end or given up by `drop`. */
  body(): AsyncIterable<Uint8Array>
  drop(): void
}

const MAX_REDIRECTS = 5

/** Sends requests to hosts that strangers named. */
export interface Connection {
  /** Follows redirects; `authorization` is sent to the first origin only. */
  call(url: URL, call: Call): Promise<Answer>
  /** Whether the host may be spoken to without encryption. */
  isInsecure(url: URL): boolean
}

/** A {@link Connection} that keeps to the owner's rules. */
export function createConnection(options: ConnectionOptions): Connection {
  const { rules } = options

  async function call(url: URL, { headers = {}, ...rest }: Call): Promise<Answer> {
    let [at, sent] = [url, headers]
    for (let redirects = 0; ; redirects += 1) {
      const answer = await callOnce(options, at, { ...rest, headers: sent })
      const { location } = answer.headers
      if (answer.status < 300 || answer.status > 399 || location === undefined) return answer
      answer.drop()
      if (redirects === MAX_REDIRECTS)
        throw new ImageRegistryFailedError(`${url.host} redirects more than ${MAX_REDIRECTS} times`)
      const next = parseUrl(location, at)
      if (next.origin !== at.origin) sent = withoutAuthorization(sent)
      at = next
    }
  }

  return { call, isInsecure: (url) => isListedHost(url, rules.insecure) }
}

function withoutAuthorization(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'))
}

/** @throws ImageRegistryFailedError for what is no URL of the web. */
export function parseUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base?.href) : undefined
  if (
    url !== undefined &&
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    url.username === '' &&
    url.password === ''
  ) {
    return url
  }
  throw new ImageRegistryFailedError(
    `${base?.host ?? 'the registry'} leads to ${JSON.stringify(text.slice(0, 200))}, which is no URL`
  )
}

function callOnce(options: ConnectionOptions, url: URL, { method = 'GET', headers = {}, signal }: Call): Promise<Answer> {
  const { rules, clock, stallLimit, lookup } = options
  const isInsecure = isListedHost(url, rules.insecure)
  const isAllowed = isInsecure || isListedHost(url, rules.allowedPrivate)
  if (url.protocol === 'http:' && !isInsecure) {
    throw new ImageRegistryRefusedError(
      `${url.host} would be spoken to without encryption; the owner of this machine allows that in image.insecure_registries`
    )
  }
  if (!isAllowed) refuseLiteral(url)
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(new CancelledError(`the request to ${url.host} was cancelled`))
    const send = url.protocol === 'https:' ? requestHttps : requestHttp
    const request = send(url, {
      method,
      agent: false, // no connection outlives its answer
      headers: { 'user-agent': 'nunet-dms', connection: 'close', ...headers },
      ...(isAllowed ? {} : { lookup: createPublicLookup(lookup) }),
      ...(isInsecure ? { rejectUnauthorized: false } : {}),
      ...(signal === undefined ? {} : { signal })
    })
    const stall = new ImageStalledError(`${url.host} sent nothing for ${stallLimit} ms`, { details: { host: url.host } })
    let isStalled = false
    let endAlarm = (): void => undefined
    const renew = (): void => {
      endAlarm()
      endAlarm = setAlarm(clock, stallLimit, () => {
        isStalled = true
        request.destroy(stall)
      })
    }
    const pause = (): void => endAlarm()
    renew()
    request.once('close', pause)
    request.once('error', (error) => reject(toFailure(url, error, signal)))
    request.once('response', (response) => {
      renew()
      resolve({
        url,
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: () => readBody(url, response, { renew, pause, stall, signal, isStalled: () => isStalled }),
        drop: () => request.destroy()
      })
    })
    request.end()
  })
}

interface BodyWatch {
  renew(): void
  pause(): void
  isStalled(): boolean
  readonly stall: ImageStalledError
  readonly signal: AbortSignal | undefined
}

async function* readBody(url: URL, response: IncomingMessage, watch: BodyWatch): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of response) {
      watch.pause() // the time that the receiver takes is not the sender's
      yield piece as Uint8Array
      watch.renew()
    }
  } catch (error) {
    throw watch.isStalled() ? watch.stall : toFailure(url, error, watch.signal)
  }
}

function refuseLiteral(url: URL): void {
  try {
    refusePrivateHost(url)
  } catch (error) {
    throw refusal(error)
  }
}

function refusal(error: unknown): ImageRegistryRefusedError {
  const text = error instanceof Error ? error.message : String(error)
  return new ImageRegistryRefusedError(`${text} in image.allowed_private_registries`, { cause: error })
}

/** What went wrong with a connection, without foreign classes. */
function toFailure(url: URL, error: unknown, signal: AbortSignal | undefined): Error {
  if (error instanceof ImageStalledError || error instanceof ImageDeniedError) return error
  if (error instanceof PrivateAddressError) return refusal(error)
  if (signal?.aborted === true) return new CancelledError(`the request to ${url.host} was cancelled`)
  const text = error instanceof Error && error.message !== '' ? error.message : errnoOf(error)
  return new ImageRegistryFailedError(`${url.host}: ${text}`, { cause: error, details: { host: url.host, code: errnoOf(error) } })
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'connection failed'
}

/**
 * Reads a body that must be small.
 *
 * @throws ImageRegistryFailedError when it is longer than `most` bytes.
 */
export async function readSmall(answer: Answer, most: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of answer.body()) {
    length += piece.length
    if (length > most) {
      answer.drop()
      throw new ImageRegistryFailedError(`${answer.url.host} sends more than ${most} bytes where a small answer belongs`)
    }
    pieces.push(piece)
  }
  return Buffer.concat(pieces, length)
}
