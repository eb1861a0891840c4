import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeHex, encodeHex, utf8 } from '../base/index.ts'
import { createFrameAssembler, encodeFrame } from './frame.ts'
import { MAX_FRAME } from './limits.ts'

const vectors: unknown = JSON.parse(readFileSync(new URL('../../test/vectors/actor.json', import.meta.url), 'utf8'))

interface FramingItem {
  readonly payload_utf8?: string
  readonly frame_hex?: string
  readonly prefix_hex?: string
}

function framingItems(): readonly FramingItem[] {
  const { stream_framing: framing } = vectors as { readonly stream_framing: { readonly items: readonly FramingItem[] } }
  return framing.items
}

function bytesOf(hex: string): Uint8Array {
  const decoded = decodeHex(hex)
  if (!decoded.ok) throw new Error(decoded.error)
  return decoded.value
}

describe('the vectors of stream framing', () => {
  test('a length over the limit is refused before any byte of the body', () => {
    const prefixes = framingItems().flatMap(({ prefix_hex: hex }) => (hex === undefined ? [] : [hex]))
    expect(prefixes).toHaveLength(1)
    for (const hex of prefixes)
      expect(() => createFrameAssembler(MAX_FRAME).push(bytesOf(hex))).toThrow('announces 1048577 bytes')
  })

  test('a payload becomes its frame and comes back', () => {
    const frames = framingItems().filter(({ frame_hex: hex }) => hex !== undefined)
    expect(frames).toHaveLength(1)
    for (const { payload_utf8: payload = '', frame_hex: hex = '' } of frames) {
      expect(encodeHex(encodeFrame(utf8(payload)))).toBe(hex)
      const assembler = createFrameAssembler(MAX_FRAME)
      assembler.push(bytesOf(hex))
      expect(assembler.finish()).toEqual(utf8(payload))
    }
  })
})

describe('assembling a frame', () => {
  test('refuses to finish early', () => {
    const assembler = createFrameAssembler(10)
    expect(() => assembler.finish()).toThrow('after 0 of 8 prefix bytes')
    assembler.push(encodeFrame(utf8('abc')).subarray(0, 10))
    expect(() => assembler.finish()).toThrow('after 2 of 3 bytes')
  })

  test('refuses trailing bytes, in the same chunk or a later one', () => {
    expect(() => createFrameAssembler(10).push(Uint8Array.of(...encodeFrame(utf8('abc')), 0))).toThrow('bytes follow the frame')
    const assembler = createFrameAssembler(10)
    assembler.push(encodeFrame(new Uint8Array(0)))
    expect(() => assembler.push(Uint8Array.of(0))).toThrow('bytes follow the frame')
  })

  test('takes a frame of exactly the limit', () => {
    const assembler = createFrameAssembler(MAX_FRAME)
    assembler.push(encodeFrame(new Uint8Array(MAX_FRAME)))
    expect(assembler.finish()).toHaveLength(MAX_FRAME)
  })

  test('gives the same body for every way of cutting the frame', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 20_000 }),
        fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1 }),
        (body, cuts) => {
          const assembler = createFrameAssembler(20_000)
          const frame = encodeFrame(body)
          for (let start = 0, turn = 0; start < frame.length; turn += 1) {
            const length = cuts[turn % cuts.length] ?? 1
            assembler.push(frame.subarray(start, start + length))
            start += length
          }
          expect(assembler.finish()).toEqual(body)
        }
      ),
      { numRuns: 50 }
    )
  })

  test('keeps no reference to a chunk', () => {
    const assembler = createFrameAssembler(10)
    const chunk = encodeFrame(utf8('abc'))
    assembler.push(chunk)
    chunk.fill(0)
    expect(assembler.finish()).toEqual(utf8('abc'))
  })
})
