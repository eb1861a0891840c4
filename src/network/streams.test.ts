import { type Stream, StreamMessageEvent } from '@libp2p/interface'
import { describe, expect, test } from 'vitest'
import { seconds, utf8 } from '../base/index.ts'
import { createVirtualClock } from '../testing/index.ts'
import { encodeFrame } from './frame.ts'
import { readFrame } from './streams.ts'

/**
 * A stream whose sender has sent everything and closed its side before anybody listens, as go-libp2p's lazy negotiation does:
 * what lies in the buffer is handed over once, and no end is announced after it.
 */
class EarlyStream extends EventTarget {
  readonly status = 'open'
  readonly remoteWriteStatus = 'closed'
  readBufferLength: number
  readonly #buffered: Uint8Array

  constructor(buffered: Uint8Array) {
    super()
    this.#buffered = buffered
    this.readBufferLength = buffered.length
  }

  handOver(): void {
    this.readBufferLength = 0
    this.dispatchEvent(new StreamMessageEvent(this.#buffered))
  }
}

describe('a frame that arrived before anybody listened', () => {
  async function read(buffered: Uint8Array): Promise<Uint8Array> {
    const stream = new EarlyStream(buffered)
    const clock = createVirtualClock()
    const frame = readFrame(stream as unknown as Stream, { clock, deadline: seconds(30), limit: 1000 })
    stream.handOver()
    return clock.run(frame)
  }

  test('is refused when it is not complete', async () => {
    await expect(read(encodeFrame(utf8('hello')).subarray(0, 10))).rejects.toThrow()
  })

  test('is read at once, without waiting for the end of the connection', async () => {
    expect(await read(encodeFrame(utf8('hello')))).toEqual(utf8('hello'))
  })
})
