import type { Stream } from '@libp2p/interface'
import { errorMessage } from '../base/index.ts'

/** Messages with their length before them, one after another on a stream, as the protocols of libp2p have them. */
export interface MessageStream {
  send(message: Uint8Array): void
  /** The next message. Throws when the stream ends first, the message is too long, or the signal is aborted. */
  receive(signal: AbortSignal): Promise<Uint8Array>
}

/** Reads and writes messages of at most `limit` bytes; what comes after the awaited one is kept, up to that limit again. */
export function createMessageStream(stream: Stream, limit: number): MessageStream {
  let buffered: Uint8Array = new Uint8Array()
  let failure: Error | undefined
  let wake: () => void = () => undefined

  stream.addEventListener('message', ({ data }) => {
    buffered = Buffer.concat([buffered, data.subarray()])
    if (buffered.length > 2 * limit + PREFIX) stream.abort(new RangeError(`more than ${limit} bytes came at once`))
    wake()
  })
  stream.addEventListener('remoteCloseWrite', () => end('the other side closed the stream'))
  stream.addEventListener('close', ({ error }) => end(error === undefined ? 'the stream was closed' : errorMessage(error)))

  function end(reason: string): void {
    failure ??= new Error(reason)
    queueMicrotask(() => wake()) // the last bytes may be handed over after the end was announced
  }

  function woken(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(new Error('there was no answer in time'))
      wake = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  return {
    send(message) {
      stream.send(delimit(message))
    },
    async receive(signal) {
      while (!signal.aborted) {
        const taken = takeDelimited(buffered, limit)
        if (taken !== undefined) {
          buffered = taken[1]
          return taken[0]
        }
        if (failure !== undefined && stream.readBufferLength === 0) throw failure
        await woken(signal)
      }
      throw new Error('there was no answer in time')
    }
  }
}

/** Bytes of the longest length that is read. */
const PREFIX = 4

function delimit(message: Uint8Array): Uint8Array {
  const prefix: number[] = []
  let rest = message.length
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) prefix.push((rest % 0x80) + 0x80)
  return Buffer.concat([Uint8Array.of(...prefix, rest), message])
}

/** The first message of the bytes and the rest; nothing while it is incomplete. Throws RangeError when it is too long. */
function takeDelimited(bytes: Uint8Array, limit: number): readonly [Uint8Array, Uint8Array] | undefined {
  let length = 0
  for (const [index, byte] of bytes.subarray(0, PREFIX).entries()) {
    length += (byte % 0x80) * 0x80 ** index
    if (byte >= 0x80) continue
    if (length > limit) throw new RangeError(`the message announces ${length} bytes, at most ${limit} are read`)
    const [begin, end] = [index + 1, index + 1 + length]
    return bytes.length < end ? undefined : [bytes.subarray(begin, end), bytes.subarray(end)]
  }
  if (bytes.length < PREFIX) return undefined
  throw new RangeError('the length of the message is malformed')
}
