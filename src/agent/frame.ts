import type { Socket } from 'node:net'
import { type AbortOptions, encodeGoJson, fromUtf8, type JsonValue, parseJson, utf8 } from '../base/index.ts'
import { AgentFailedError, AgentRefusedError } from './errors.ts'

/** One message in either direction: JSON, and bytes that would only grow, or could not be wiped, as text. */
export interface Frame {
  readonly header: JsonValue
  readonly body: Uint8Array
}

/** Length of the JSON and length of the body, each four bytes, big-endian. */
const PREFIX_LENGTH = 8

/** Longest JSON; a list of all keys stays below. */
const MAX_HEADER = 16 * 2 ** 10

/** Longest body: the largest message of an actor, with room. */
export const MAX_BODY = 2 * 2 ** 20

/** The bytes of a message. */
export function encodeFrame(header: JsonValue, body: Uint8Array = new Uint8Array()): Uint8Array {
  const json = utf8(encodeGoJson(header))
  const frame = new Uint8Array(PREFIX_LENGTH + json.length + body.length)
  const view = new DataView(frame.buffer)
  view.setUint32(0, json.length)
  view.setUint32(4, body.length)
  frame.set(json, PREFIX_LENGTH)
  frame.set(body, PREFIX_LENGTH + json.length)
  return frame
}

/**
 * Reads one message; what the socket delivers after it is ignored. The pieces that it came in are wiped.
 *
 * Lengths over the limits are refused before anything of the message is kept.
 *
 * @throws AgentRefusedError for what is no message.
 * @throws AgentFailedError when the connection ends before the message does.
 */
export function readFrame(socket: Socket, { signal }: AbortOptions = {}): Promise<Frame> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    let needed = PREFIX_LENGTH
    const settle = (act: () => void): void => {
      socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onEnd)
      signal?.removeEventListener('abort', onEnd)
      for (const chunk of chunks) chunk.fill(0)
      act()
    }
    const onEnd = (): void => settle(() => reject(new AgentFailedError('the connection ended within a message')))
    const onError = (cause: Error): void =>
      settle(() => reject(new AgentFailedError(`the connection broke: ${cause.message}`, { cause })))
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk)
      length += chunk.length
      if (length < needed) return
      const data = Buffer.concat(chunks)
      try {
        needed = frameLength(data)
        if (length < needed) return
        const frame = decodeFrame(data)
        settle(() => resolve(frame))
      } catch (error) {
        settle(() => reject(error instanceof Error ? error : new AgentFailedError(String(error))))
      } finally {
        data.fill(0)
      }
    }
    socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onEnd)
    signal?.addEventListener('abort', onEnd, { once: true })
  })
}

/** How long the message is, by its first bytes. */
function frameLength(data: Buffer): number {
  const headerLength = data.readUInt32BE(0)
  const bodyLength = data.readUInt32BE(4)
  if (headerLength > MAX_HEADER || bodyLength > MAX_BODY) {
    throw new AgentRefusedError(`a message of ${headerLength} + ${bodyLength} bytes is longer than ${MAX_HEADER} + ${MAX_BODY}`)
  }
  return PREFIX_LENGTH + headerLength + bodyLength
}

/** A complete message; its body is a copy. */
function decodeFrame(data: Buffer): Frame {
  const bodyStart = PREFIX_LENGTH + data.readUInt32BE(0)
  const header = parseJson(fromUtf8(data.subarray(PREFIX_LENGTH, bodyStart)))
  if (!header.ok) throw new AgentRefusedError(`not a message: ${header.error.message}`)
  return { header: header.value, body: Uint8Array.from(data.subarray(bodyStart, bodyStart + data.readUInt32BE(4))) }
}
