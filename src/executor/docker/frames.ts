import { ExecutorFailedError } from '../errors.ts'
import type { LogChunk } from '../executor.ts'

const HEADER = 8

/**
 * Splits Docker's multiplexed output: frames of a stream number, three zero bytes, a length and so many bytes.
 *
 * Pieces are passed on as they come, so a frame of any length needs no memory. A broken header ends the output with an error.
 */
export async function* readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<LogChunk> {
  const header = Buffer.alloc(HEADER)
  let headerLength = 0
  let stream: LogChunk['stream'] = 'stdout'
  let left = 0
  for await (const piece of source) {
    let at = 0
    while (at < piece.length) {
      if (left > 0) {
        const data = piece.subarray(at, at + left)
        at += data.length
        left -= data.length
        yield { stream, data }
        continue
      }
      const part = piece.subarray(at, at + HEADER - headerLength)
      header.set(part, headerLength)
      headerLength += part.length
      at += part.length
      if (headerLength < HEADER) break
      headerLength = 0
      stream = streamOf(header)
      left = header.readUInt32BE(4)
    }
  }
}

/** 0 is stdin, which Docker sends as stdout. */
function streamOf(header: Buffer): LogChunk['stream'] {
  const [number = 255, ...zeros] = header.subarray(0, 4)
  if (number > 2 || zeros.some((byte) => byte !== 0))
    throw new ExecutorFailedError(`no frame of Docker's output: ${header.toString('hex')}`)
  return number === 2 ? 'stderr' : 'stdout'
}
