import { FrameRefusedError } from './errors.ts'
import { PREFIX_LENGTH } from './limits.ts'

/** Prefix and body in one piece: a Go receiver reads the prefix with a single read, so both must leave in one write (B §5.3). */
export function encodeFrame(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(PREFIX_LENGTH + body.length)
  new DataView(frame.buffer).setBigUint64(0, BigInt(body.length), true)
  frame.set(body, PREFIX_LENGTH)
  return frame
}

/** Puts one frame together from chunks of any size. */
export interface FrameAssembler {
  /** Takes the next bytes; throws `NETWORK_FRAME_REFUSED` as soon as they cannot be one frame of a permitted length. */
  push(chunk: Uint8Array): void
  /** The body; throws `NETWORK_FRAME_REFUSED` while bytes are missing. */
  finish(): Uint8Array
}

const FIRST_CAPACITY = 4096

/**
 * Creates an empty assembler for a body of at most `limit` bytes.
 *
 * Memory grows with the bytes that arrived, never with the length that was announced, and chunks are copied, because a chunk of
 * one byte may keep a whole socket buffer alive.
 *
 * @param reserve - Told how many bytes of memory are needed more, before they are taken; what it throws ends the frame.
 */
export function createFrameAssembler(limit: number, reserve: (bytes: number) => void = () => undefined): FrameAssembler {
  const prefix = new Uint8Array(PREFIX_LENGTH)
  let prefixLength = 0
  let declared: number | undefined
  let body = new Uint8Array(0)
  let received = 0

  function takePrefix(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, PREFIX_LENGTH - prefixLength)
    prefix.set(taken, prefixLength)
    prefixLength += taken.length
    if (prefixLength === PREFIX_LENGTH) declared = readLength(prefix, limit)
    return chunk.subarray(taken.length)
  }

  function takeBody(chunk: Uint8Array, length: number): void {
    if (received + chunk.length > length) throw new FrameRefusedError(`bytes follow the frame of ${length} bytes`)
    if (received + chunk.length > body.length) {
      const capacity = Math.min(length, Math.max(FIRST_CAPACITY, 2 * body.length, received + chunk.length))
      reserve(capacity - body.length)
      const larger = new Uint8Array(capacity)
      larger.set(body.subarray(0, received))
      body = larger
    }
    body.set(chunk, received)
    received += chunk.length
  }

  return {
    push(chunk) {
      const rest = declared === undefined ? takePrefix(chunk) : chunk
      if (declared !== undefined && rest.length > 0) takeBody(rest, declared)
    },
    finish() {
      if (declared === undefined)
        throw new FrameRefusedError(`the stream ended after ${prefixLength} of ${PREFIX_LENGTH} prefix bytes`)
      if (received < declared) throw new FrameRefusedError(`the stream ended after ${received} of ${declared} bytes`)
      return body.subarray(0, received)
    }
  }
}

function readLength(prefix: Uint8Array, limit: number): number {
  const declared = new DataView(prefix.buffer).getBigUint64(0, true)
  if (declared > BigInt(limit)) throw new FrameRefusedError(`the frame announces ${declared} bytes, at most ${limit} are read`)
  return Number(declared)
}
