import { type AbortOptions, type Clock, millis } from '../base/index.ts'
import { type Answer, type Connection, readSmall } from './connection.ts'
import { answerChallenge, parseChallenge, type RegistryAuth } from './credentials.ts'
import { digestOf } from './digest.ts'
import {
  ImageDeniedError,
  ImageNotFoundError,
  ImageRegistryFailedError,
  type ImageStalledError,
  ImageWrongDigestError
} from './errors.ts'
import { ACCEPTED_MANIFESTS, MAX_DOCUMENT } from './manifest.ts'
import type { ImageSource } from './source.ts'

/** A document as the registry gave it. */
export interface RawManifest {
  readonly body: Uint8Array
  readonly contentType: string
  /** Of the body, computed here. */
  readonly digest: string
}

/** One repository of one registry, for one user and one pull. */
export interface RegistrySession {
  manifest(version: string, options: AbortOptions): Promise<RawManifest>
  /** From byte `from` on; a registry that cannot go on answers with 200 and everything. */
  blob(digest: string, from: number, options: AbortOptions): Promise<Answer>
  /** Whether a user's credentials were needed. */
  isPrivate(): boolean
}

/** What a session needs. */
export interface SessionOptions {
  readonly connection: Connection
  readonly source: ImageSource
  readonly auth: RegistryAuth | undefined
  readonly clock: Clock
}

const ATTEMPTS = 3
const PAUSE = millis(500)

/** Errors after which the same request may succeed. */
export function isPassing(error: unknown): error is ImageRegistryFailedError | ImageStalledError {
  return error instanceof Error && 'code' in error && (error.code === 'IMAGE_REGISTRY_FAILED' || error.code === 'IMAGE_STALLED')
}

/** Opens a {@link RegistrySession}; connects to nothing yet. */
export function createSession({ connection, source, auth, clock }: SessionOptions): RegistrySession {
  let authorization: string | undefined
  let usedCredentials = false
  let base: Promise<URL> | undefined

  async function send(path: string, headers: Readonly<Record<string, string>>, options: AbortOptions): Promise<Answer> {
    base ??= findScheme(connection, source.host, options)
    base.catch(() => {
      base = undefined
    })
    const url = new URL(`/v2/${source.repository}/${path}`, await base)
    const call = () =>
      connection.call(url, { ...options, headers: authorization === undefined ? headers : { ...headers, authorization } })
    const first = await call()
    if (first.status !== 401) return first
    first.drop()
    authorization = await answerChallenge(connection, url, parseChallenge(first.headers['www-authenticate'] ?? ''), {
      ...options,
      auth,
      scope: `repository:${source.repository}:pull`
    })
    usedCredentials ||= auth !== undefined
    return await call()
  }

  async function ask(path: string, headers: Readonly<Record<string, string>>, options: AbortOptions): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await send(path, headers, options)
        if (answer.status === 200 || answer.status === 206) return answer
        answer.drop()
        throw failureOf(answer, source)
      } catch (error) {
        if (!isPassing(error) || attempt === ATTEMPTS) throw error
        await clock.sleep(millis(PAUSE * attempt), options)
      }
    }
  }

  return {
    async manifest(version, options) {
      const answer = await ask(`manifests/${version}`, { accept: ACCEPTED_MANIFESTS }, options)
      const body = await readSmall(answer, MAX_DOCUMENT)
      const digest = digestOf(body)
      const expected = version.startsWith('sha256:') ? version : answer.headers['docker-content-digest']
      if (expected !== undefined && expected !== digest) throw wrongDigest('the manifest', String(expected), digest, source)
      return { body, digest, contentType: answer.headers['content-type'] ?? '' }
    },
    blob: (digest, from, options) => ask(`blobs/${digest}`, from === 0 ? {} : { range: `bytes=${from}-` }, options),
    isPrivate: () => usedCredentials
  }
}

/** The error for content that is not what it should be. */
export function wrongDigest(what: string, expected: string, found: string, source: ImageSource): ImageWrongDigestError {
  return new ImageWrongDigestError(`${source.registry} gave ${what} with digest ${found} for ${expected}`, {
    details: { registry: source.registry, expected, found }
  })
}

/** Unencrypted only where the owner allows it and nobody answers with TLS. */
async function findScheme(connection: Connection, host: string, options: AbortOptions): Promise<URL> {
  const secure = new URL(`https://${host}/v2/`)
  const plain = new URL(`http://${host}/v2/`)
  if (!connection.isInsecure(plain) && !connection.isInsecure(secure)) return secure
  try {
    const answer = await connection.call(secure, options)
    answer.drop()
    return secure
  } catch (error) {
    if (!isPassing(error)) throw error
    return plain
  }
}

function failureOf({ status }: Answer, source: ImageSource): Error {
  const details = { registry: source.registry, status }
  if (status === 404) return new ImageNotFoundError(`${source.registry} has no ${source.text}`, { details })
  if (status === 401 || status === 403) {
    return new ImageDeniedError(`${source.registry} refuses ${source.text} (status ${status}): wrong or missing credentials`, {
      details
    })
  }
  return new ImageRegistryFailedError(`${source.registry} answers with status ${status} for ${source.text}`, { details })
}
