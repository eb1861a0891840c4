import { Readable, Transform } from 'node:stream'
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { type AbortOptions, anySignal, CancelledError, type Clock, type Millis, setAlarm } from '../../base/index.ts'
import { createAgents, privateAddressIn, saidBy, type TransferRules, toRefusal } from '../endpoint.ts'
import {
  StorageChecksumError,
  StorageFailedError,
  StorageNotFoundError,
  StorageNotPermittedError,
  StorageUnavailableError
} from '../errors.ts'
import type { S3Place } from './spec.ts'

type Sdk = typeof import('@aws-sdk/client-s3')

type Work<T> = (client: S3Client, options: { readonly abortSignal: AbortSignal }) => Promise<T>

/** How a command is sent. */
export interface SendOptions extends AbortOptions {
  /** Until its answer must have begun; until the service counts as stalled when absent. */
  readonly limit?: Millis
}

/** A service, spoken to by the owner's rules. */
export interface S3Session {
  readonly sdk: Sdk
  /** Named in messages. */
  readonly host: string
  /** Sends one command. Foreign errors become ours; the signal goes on to end the body of an answer. */
  send<T>(what: string, work: Work<T>, options?: SendOptions): Promise<T>
  close(): void
}

/** An answer that is not an object is XML; a list of a thousand keys stays far below. */
const MAX_ANSWER = 16 * 1024 * 1024

/** Loads the SDK, which nothing else does: it is large, and most nodes never see S3. */
async function loadSdk(): Promise<Sdk> {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true' // it is for who maintains this program, not who runs it
  return await import('@aws-sdk/client-s3')
}

/** @throws StorageNotPermittedError for an endpoint where strangers have no business. */
export async function openS3(place: S3Place, clock: Clock, rules: TransferRules): Promise<S3Session> {
  const url = new URL(place.endpoint ?? `https://s3.${place.region}.amazonaws.com`)
  const agents = createAgents(url, rules)
  const sdk = await loadSdk()
  const client = new sdk.S3Client({ ...configOf(place), requestHandler: { ...agents, socketTimeout: rules.stallLimit } })
  boundAnswers(client)
  return {
    sdk,
    host: url.host,
    async send(what, work, { signal, limit = rules.stallLimit } = {}) {
      const late = new AbortController()
      const endAlarm = setAlarm(clock, limit, () => late.abort())
      try {
        return await work(client, { abortSignal: anySignal(signal, late.signal) })
      } catch (error) {
        if (signal?.aborted === true) throw new CancelledError(`${what} was cancelled`, { cause: error })
        if (late.signal.aborted) throw new StorageUnavailableError(`${what}: ${url.host} did not answer within ${limit} ms`)
        throw toStorageError(error, what, url.host)
      } finally {
        endAlarm()
      }
    },
    close() {
      client.destroy()
      agents.end()
    }
  }
}

/** Nothing of the owner's own environment: no keys of a cloud's metadata service, no endpoint of a profile. */
function configOf({ region, endpoint, credentials }: S3Place): S3ClientConfig {
  return {
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ignoreConfiguredEndpointUrls: true,
    useArnRegion: false,
    maxAttempts: 3,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(credentials === undefined ? UNSIGNED : { credentials: revealed(credentials) })
  }
}

const UNSIGNED: Pick<S3ClientConfig, 'credentials' | 'signer'> = {
  credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
  signer: { sign: (request) => Promise.resolve(request) }
}

function revealed({ accessKeyId, secretAccessKey, sessionToken }: NonNullable<S3Place['credentials']>) {
  return {
    accessKeyId,
    secretAccessKey: secretAccessKey.reveal(),
    ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.reveal() })
  }
}

/** The SDK collects answers in memory before it reads them; a hostile service would never end one. */
function boundAnswers(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args)
        const response = result.response as { statusCode?: number; body?: unknown }
        const isObject = commandName === 'GetObjectCommand' && (response.statusCode ?? 500) < 300
        if (!isObject && response.body instanceof Readable) response.body = response.body.pipe(bound(response.body))
        return result
      },
    { step: 'deserialize', priority: 'low', name: 'boundAnswers' }
  )
}

function bound(source: Readable): Transform {
  let length = 0
  const limited = new Transform({
    transform(piece: Buffer, _encoding, done) {
      length += piece.length
      if (length <= MAX_ANSWER) return done(null, piece)
      source.destroy()
      done(new Error(`an answer of more than ${MAX_ANSWER} bytes`))
    }
  })
  source.once('error', (error) => limited.destroy(error))
  return limited
}

/** Our class for what went wrong, in the words of the service where it has some. */
function toStorageError(error: unknown, what: string, host: string): Error {
  const hidden = privateAddressIn(error)
  if (hidden !== undefined) return toRefusal(hidden)
  if (!(error instanceof Error)) return new StorageFailedError(`${what} failed`)
  const text = `${what}: ${host} says ${saidBy(`${error.name}: ${error.message}`)}`
  switch (statusOf(error)) {
    case 301:
    case 307:
    case 400:
    case 401:
    case 403:
      return new StorageNotPermittedError(text)
    case 404:
      return new StorageNotFoundError(text)
    case 412:
      return new StorageChecksumError(`${what}: the object at ${host} was changed meanwhile`)
    default:
      return new StorageUnavailableError(text)
  }
}

function statusOf(error: Error): number | undefined {
  const { $metadata } = error as { readonly $metadata?: { readonly httpStatusCode?: number } }
  return $metadata?.httpStatusCode
}
