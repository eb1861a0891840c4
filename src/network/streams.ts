import { type Stream, StreamCloseEvent } from '@libp2p/interface'
import { CancelledError, type Clock, errorMessage, type Millis } from '../base/index.ts'
import { FrameRefusedError } from './errors.ts'
import { createFrameAssembler, encodeFrame } from './frame.ts'

/** A signal that is aborted once the stream is closed for reading and writing, by whomever. */
export function streamEnd(stream: Stream): AbortSignal {
  const end = new AbortController()
  if (stream.status === 'open' || stream.status === 'closing') stream.addEventListener('close', () => end.abort(), { once: true })
  else end.abort()
  return end.signal
}

/** How {@link readFrame} reads. */
export interface ReadOptions {
  readonly clock: Clock
  readonly deadline: Millis
  /** Bytes of the body. */
  readonly limit: number
  /** As for {@link createFrameAssembler}. */
  readonly reserve?: (bytes: number) => void
  /** Aborted when the frame is to be given up, because its place is needed. */
  readonly evicted?: AbortSignal
}

/**
 * Reads the one frame of an incoming stream.
 *
 * Resolves when the sender has closed its side after exactly one frame of at most `limit` bytes.
 *
 * @throws FrameRefusedError for anything else, also when it takes longer than `deadline`. The caller resets the stream.
 */
export function readFrame(stream: Stream, options: ReadOptions): Promise<Uint8Array> {
  const assembler = createFrameAssembler(options.limit, options.reserve)
  const settled = new AbortController()
  return new Promise<Uint8Array>((resolve, reject) => {
    const attempt = (work: () => void): void => {
      if (settled.signal.aborted) return
      try {
        work()
      } catch (error) {
        settled.abort()
        reject(error instanceof Error ? error : new FrameRefusedError(errorMessage(error)))
      }
    }
    const refuse = (reason: string): void =>
      attempt(() => {
        throw new FrameRefusedError(reason)
      })
    const finish = (): void =>
      attempt(() => {
        resolve(assembler.finish())
        settled.abort()
      })
    const finishWhenEnded = (): void => {
      if (stream.remoteWriteStatus === 'closed' && stream.readBufferLength === 0) finish()
    }
    const { signal } = settled
    stream.addEventListener(
      'message',
      ({ data }) => {
        attempt(() => assembler.push(data.subarray()))
        // A sender that negotiates lazily (go-libp2p) has sent everything, its end included, before anybody listened here.
        queueMicrotask(finishWhenEnded)
      },
      { signal }
    )
    // The end may be announced together with the last bytes, before they are handed over: look again in the next microtask.
    stream.addEventListener('remoteCloseWrite', () => queueMicrotask(finishWhenEnded), { signal })
    stream.addEventListener('end', () => queueMicrotask(finishWhenEnded), { signal })
    stream.addEventListener(
      'close',
      (event) => {
        if (event.error === undefined) finish()
        else refuse(`the stream broke: ${event.error.message}`)
      },
      { signal }
    )
    options.evicted?.addEventListener('abort', () => refuse('other peers need the place of this frame'), { signal })
    if (stream.status === 'reset' || stream.status === 'aborted') refuse('the stream was reset before it was read')
    else finishWhenEnded()
    options.clock.sleep(options.deadline, { signal }).then(
      () => refuse(`the frame was not complete within ${options.deadline} ms`),
      () => undefined // the frame was settled first
    )
  })
}

/**
 * Writes one frame and half-closes the stream; on any failure the stream is reset, so that the receiver drops the part it has.
 *
 * @throws Error saying what broke, or `BASE_CANCELLED` when the signal is aborted first.
 */
export async function writeFrame(stream: Stream, body: Uint8Array, signal: AbortSignal): Promise<void> {
  try {
    if (signal.aborted) throw new CancelledError('the write was cancelled')
    stream.send(encodeFrame(body))
    await stream.close({ signal })
  } catch (error) {
    const failure = error instanceof StreamCloseEvent ? (error.error ?? new Error('the stream was closed by the peer')) : error
    stream.abort(failure instanceof Error ? failure : new Error(errorMessage(failure)))
    throw failure
  }
}
