import { FrameRefusedError } from './errors.ts'
import { HEADER_LENGTH, MAX_BODY } from './kept-frames.ts'

/** Cuts the bytes of a kept stream into frames, in whatever chunks they come. */
export interface KeptReader {
  /** Takes the next bytes; throws `NETWORK_FRAME_REFUSED` for a length that is not permitted, and what `take` throws. */
  push(chunk: Uint8Array): void
  /** Bytes of a frame that is not complete yet. */
  readonly unfinished: number
}

const FIRST_CAPACITY = 1024

/**
 * Creates a reader between frames.
 *
 * @param take    - Gets each frame; the body is only valid during the call.
 * @param reserve - Told how many bytes of memory are needed more for an unfinished frame, before they are taken.
 */
export function createKeptReader(take: (type: number, body: Uint8Array) => void, reserve: (bytes: number) => void): KeptReader {
  let part = new Uint8Array(0)
  let held = 0

  function hold(chunk: Uint8Array, most: number): void {
    const needed = held + chunk.length
    if (needed > part.length) {
      const capacity = Math.min(most, Math.max(FIRST_CAPACITY, 2 * part.length, needed))
      reserve(capacity - part.length)
      const larger = new Uint8Array(capacity)
      larger.set(part.subarray(0, held))
      part = larger
    }
    part.set(chunk, held)
    held = needed
  }

  /** Takes the frames that are complete in one piece, and returns the rest. */
  function takeWhole(chunk: Uint8Array): Uint8Array {
    let at = 0
    while (chunk.length - at >= HEADER_LENGTH) {
      const end = at + HEADER_LENGTH + lengthAt(chunk, at)
      if (end > chunk.length) break
      take(chunk[at] ?? 0, chunk.subarray(at + HEADER_LENGTH, end))
      at = end
    }
    return chunk.subarray(at)
  }

  /** Adds to the unfinished frame what belongs to it, takes it when it is complete, and returns the rest. */
  function complete(chunk: Uint8Array): Uint8Array {
    let rest = chunk
    if (held < HEADER_LENGTH) {
      const head = rest.subarray(0, HEADER_LENGTH - held)
      hold(head, HEADER_LENGTH + MAX_BODY)
      rest = rest.subarray(head.length)
      if (held < HEADER_LENGTH) return rest
    }
    const size = HEADER_LENGTH + lengthAt(part, 0)
    const body = rest.subarray(0, size - held)
    hold(body, Math.max(size, part.length))
    if (held < size) return rest.subarray(body.length)
    const frame = part.subarray(0, size)
    part = new Uint8Array(0)
    held = 0
    take(frame[0] ?? 0, frame.subarray(HEADER_LENGTH))
    return rest.subarray(body.length)
  }

  return {
    push(chunk) {
      let rest = chunk
      if (held > 0) rest = complete(rest)
      if (held > 0 || rest.length === 0) return
      const left = takeWhole(rest)
      if (left.length > 0) hold(left, HEADER_LENGTH + MAX_BODY)
    },
    get unfinished() {
      return held
    }
  }
}

function lengthAt(bytes: Uint8Array, offset: number): number {
  const length = ((bytes[offset + 1] ?? 0) << 16) | ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0)
  if (length > MAX_BODY) throw new FrameRefusedError(`a frame announces ${length} bytes, at most ${MAX_BODY} are read`)
  return length
}
