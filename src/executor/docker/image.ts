import {
  type AbortOptions,
  anySignal,
  bytes,
  type Clock,
  isJsonObject,
  type Logger,
  type Millis,
  setAlarm,
  TimeoutError,
  withTimeout
} from '../../base/index.ts'
import { ExecutorImageNotFoundError } from '../errors.ts'
import type { StartOptions } from '../executor.ts'
import { type DockerAnswer, type DockerClient, refusalText, unavailable } from './client.ts'
import type { ImageReference } from './reference.ts'
import type { RegistryAuth } from './spec.ts'

/** What {@link pullImage} needs besides the image. */
export interface PullOptions extends AbortOptions {
  readonly auth: RegistryAuth | undefined
  readonly clock: Clock
  /** For the whole pull. */
  readonly limit: Millis
  /** Longest time in which nothing comes. */
  readonly stallLimit: Millis
  readonly log: Logger
  readonly onProgress?: StartOptions['onProgress']
}

/** How often progress is told. */
const PROGRESS_PAUSE = 250
const MOST_LAYERS = 256
const NONE = { done: 0, total: 0 }
/** What Docker says of a layer whose download is over. */
const ENDED: ReadonlySet<string> = new Set(['Verifying Checksum', 'Download complete', 'Extracting', 'Pull complete'])

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
 * A pull that stalls is begun anew, as often as there is time for; Docker keeps the layers that are complete.
 *
 * @throws ExecutorImageNotFoundError with the daemon's own words, whatever the reason: a wrong name, no right, no network.
 * @throws TimeoutError when it takes longer than `limit`, or stalls for the last time that `limit` has room for.
 */
export async function pullImage(client: DockerClient, image: ImageReference, options: PullOptions): Promise<void> {
  const { clock, limit, stallLimit, log, signal } = options
  const deadline = clock.now() + limit
  const whole = async (inner: AbortSignal): Promise<void> => {
    const both = anySignal(inner, signal)
    for (let attempt = 1; ; attempt += 1) {
      if (await pullOnce(client, image, { ...options, signal: both })) return
      const words = `pulling ${image.text}: nothing came for ${stallLimit} ms, at attempt ${attempt}`
      if (clock.now() + stallLimit >= deadline) throw new TimeoutError(words, { details: { image: image.text, stallLimit } })
      log.warn('a pull has stalled and is begun anew', { image: image.text, attempt, stallLimitMs: stallLimit })
    }
  }
  await withTimeout(clock, limit, `pulling ${image.text}`, whole, signal === undefined ? {} : { signal })
}

/** False when it stalled and was given up. */
async function pullOnce(client: DockerClient, image: ImageReference, options: PullOptions): Promise<boolean> {
  const { clock, stallLimit, auth, onProgress, signal } = options
  const stall = new AbortController()
  const watch = createStallWatch(clock, stallLimit, () => stall.abort())
  try {
    const stream = await client.stream(
      {
        method: 'POST',
        path: '/images/create',
        query: { fromImage: image.name, tag: image.tag },
        headers: auth === undefined ? {} : { 'x-registry-auth': registryHeader(image, auth) },
        limit: options.limit,
        signal: anySignal(stall.signal, signal)
      },
      (answer) => notFound(image, refusalText(answer))
    )
    const progress = createPullProgress(clock, onProgress)
    for await (const line of readLines(stream)) {
      const step = parseLine(line)
      if (step.error !== undefined) throw notFound(image, step.error)
      watch.saw(step)
      progress(step)
    }
    return true
  } catch (error) {
    if (stall.signal.aborted && signal?.aborted !== true) return false
    throw error
  } finally {
    watch.end()
  }
}

/** Calls `onStall` once no layer has moved for `limit`; a daemon that says the same again and again does not move. */
function createStallWatch(clock: Clock, limit: Millis, onStall: () => void): { saw(step: PullStep): void; end(): void } {
  const last = new Map<string, string>()
  let end = setAlarm(clock, limit, onStall)
  return {
    saw({ layer, status, current }) {
      const now = `${status} ${current}`
      if (last.get(layer) === now || (last.size >= MOST_LAYERS && !last.has(layer))) return
      last.set(layer, now)
      end()
      end = setAlarm(clock, limit, onStall)
    },
    end: () => end()
  }
}

/** Adds up the layers of an image, which are told of one by one, and passes the sum on a few times a second. */
function createPullProgress(clock: Clock, onProgress: PullOptions['onProgress']): (step: PullStep) => void {
  const layers = new Map<string, { readonly done: number; readonly total: number }>()
  let nextAt = 0
  return ({ layer, status, current, total }) => {
    if (onProgress === undefined) return
    const known = layers.get(layer)
    if (total > 0 && layers.size < MOST_LAYERS && status === 'Downloading') layers.set(layer, { done: current, total })
    else if (known !== undefined && ENDED.has(status)) layers.set(layer, { done: known.total, total: known.total })
    if (clock.now() < nextAt) return
    nextAt = clock.now() + PROGRESS_PAUSE
    const sums = [...layers.values()].reduce((sum, next) => ({ done: sum.done + next.done, total: sum.total + next.total }), NONE)
    onProgress({ step: 'pull', ...(sums.total === 0 ? {} : { done: bytes(sums.done), total: bytes(sums.total) }) })
  }
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

/** One step of a pull, in the daemon's words. */
interface PullStep {
  readonly error?: string
  /** `Downloading`, `Pull complete`, … */
  readonly status: string
  readonly layer: string
  readonly current: number
  readonly total: number
}

function parseLine(line: string): PullStep {
  const nothing: PullStep = { status: '', layer: '', current: 0, total: 0 }
  try {
    const value: unknown = JSON.parse(line)
    if (!isJsonObject(value)) return nothing
    const { error, status, id, progressDetail } = value
    const { current, total } = isJsonObject(progressDetail) ? progressDetail : {}
    return {
      ...(typeof error === 'string' ? { error } : {}),
      status: typeof status === 'string' ? status : '',
      layer: typeof id === 'string' ? id : '',
      current: typeof current === 'number' && current > 0 ? current : 0,
      total: typeof total === 'number' && total > 0 ? total : 0
    }
  } catch {
    return nothing // progress is for people; the image is looked for afterwards
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
