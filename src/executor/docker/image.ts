import { type AbortOptions, anySignal, type Clock, isJsonObject, type Millis, withTimeout } from '../../base/index.ts'
import { ExecutorImageNotFoundError } from '../errors.ts'
import { type DockerAnswer, type DockerClient, refusalText, unavailable } from './client.ts'
import type { ImageReference } from './reference.ts'
import type { RegistryAuth } from './spec.ts'

/** One step of a pull, in the daemon's words: `Downloading`, `Pull complete`. */
export interface PullProgress {
  readonly image: string
  readonly status: string
}

/** What {@link pullImage} needs besides the image. */
export interface PullOptions extends AbortOptions {
  readonly auth: RegistryAuth | undefined
  readonly clock: Clock
  /** For the whole pull. */
  readonly limit: Millis
  readonly onProgress?: (progress: PullProgress) => void
}

/** A line of the daemon's progress is a few hundred bytes. */
const MAX_LINE = 65_536

/** Whether the image is on this machine. */
export async function hasImage(client: DockerClient, image: ImageReference, options: AbortOptions): Promise<boolean> {
  const { status } = await client.call({ method: 'GET', path: `/images/${image.text}/json`, ...options })
  return status === 200
}

/**
 * Gets the image from its registry.
 *
 * @throws ExecutorImageNotFoundError with the daemon's own words, whatever the reason: a wrong name, no right, no network.
 * @throws TimeoutError when it takes longer than `limit`.
 */
export async function pullImage(client: DockerClient, image: ImageReference, options: PullOptions): Promise<void> {
  const { clock, limit, auth, onProgress, signal } = options
  const outer = signal === undefined ? {} : { signal }
  await withTimeout(
    clock,
    limit,
    `pulling ${image.text}`,
    async (inner) => {
      const both = anySignal(inner, signal)
      const stream = await client.stream(
        {
          method: 'POST',
          path: '/images/create',
          query: { fromImage: image.name, tag: image.tag },
          headers: auth === undefined ? {} : { 'x-registry-auth': registryHeader(image, auth) },
          limit,
          signal: both
        },
        (answer) => notFound(image, refusalText(answer))
      )
      for await (const line of readLines(stream)) report(line, image, onProgress)
    },
    outer
  )
}

function report(line: string, image: ImageReference, onProgress: PullOptions['onProgress']): void {
  const step = parseLine(line)
  if (step.error !== undefined) throw notFound(image, step.error)
  if (step.status !== undefined) onProgress?.({ image: image.text, status: step.status })
}

/** The error for an image that cannot be had. */
export function notFound(image: ImageReference, words: string): ExecutorImageNotFoundError {
  return new ExecutorImageNotFoundError(`image ${image.text} is not on this machine and cannot be pulled: ${words}`, {
    details: { image: image.text }
  })
}

function registryHeader(image: ImageReference, { username, password }: RegistryAuth): string {
  const auth = { username, password: password.reveal(), serveraddress: image.registry }
  return Buffer.from(JSON.stringify(auth)).toString('base64url')
}

function parseLine(line: string): { readonly error?: string; readonly status?: string } {
  try {
    const value: unknown = JSON.parse(line)
    if (!isJsonObject(value)) return {}
    const { error, status } = value
    return { ...(typeof error === 'string' ? { error } : {}), ...(typeof status === 'string' ? { status } : {}) }
  } catch {
    return {} // progress is for people; the image is looked for afterwards
  }
}

async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = ''
  try {
    for await (const piece of stream) {
      const lines = (rest + Buffer.from(piece).toString('utf8')).split('\n')
      rest = (lines.pop() ?? '').slice(0, MAX_LINE)
      yield* lines
    }
  } catch (error) {
    throw unavailable('its socket', error)
  }
  if (rest.trim() !== '') yield rest
}

/** Whether an answer to creating a container says that its image is missing. */
export function isMissingImage({ status, body }: DockerAnswer): boolean {
  return status === 404 && refusalText({ status, body }).includes('No such image')
}
