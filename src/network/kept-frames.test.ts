import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../base/index.ts'
import { decodeFrame, encodeFrames, FRAME_TYPES, type KeptFrame, MAX_BODY, sizeOfFrame } from './kept-frames.ts'
import { createKeptReader } from './kept-reader.ts'

/** The frames in `bytes`, read in chunks of the given sizes, which repeat. */
function read(bytes: Uint8Array, sizes: readonly number[] = [bytes.length]): readonly (KeptFrame | undefined)[] {
  const frames: (KeptFrame | undefined)[] = []
  const reader = createKeptReader(
    (type, body) => void frames.push(decodeFrame(type, Uint8Array.from(body))),
    () => undefined
  )
  let at = 0
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1
    reader.push(bytes.subarray(at, at + size))
    at += size
  }
  expect(reader.unfinished).toBe(0)
  return frames
}

function raw(type: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(type, body.length >> 16, (body.length >> 8) & 255, body.length & 255), body])
}

describe('a frame is refused when', () => {
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['its length is over the limit', Uint8Array.of(1, 1, 0, 0)],
    ['its type is unknown and not optional', raw(0x05, new Uint8Array(8))],
    ['it opens with another version', raw(FRAME_TYPES.hello, Uint8Array.of(2, ...new Uint8Array(12)))],
    ['it opens in too few bytes', raw(FRAME_TYPES.hello, new Uint8Array(12))],
    ['it opens in too many bytes', raw(FRAME_TYPES.hello, Uint8Array.of(1, ...new Uint8Array(256)))],
    ['the name of the inbox is longer than the frame', raw(FRAME_TYPES.message, Uint8Array.of(0, 0, 0, 1, 0, 5, 0x72))],
    ['a message has no inbox at all', raw(FRAME_TYPES.message, Uint8Array.of(0, 0, 0, 1, 0))],
    ['a part is empty', raw(FRAME_TYPES.part, Uint8Array.of(0, 0, 0, 1))],
    ['receipts are cut off', raw(FRAME_TYPES.receipt, new Uint8Array(10))],
    ['there is no receipt in it', raw(FRAME_TYPES.receipt, new Uint8Array(0))],
    ['a receipt ends before it begins', raw(FRAME_TYPES.receipt, Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 1, 0))]
  ]
  test.each(cases)('%s', (_, bytes) => {
    expect(() => read(bytes)).toThrow(expect.objectContaining({ code: 'NETWORK_FRAME_REFUSED' }))
  })
})

test('a frame of an optional type that is not known is skipped', () => {
  const after: KeptFrame = { type: 'part', id: 1, payload: Buffer.from('x') }
  expect(read(Buffer.concat([raw(0x80, utf8('from the future')), encodeFrames([after])]))).toEqual([undefined, after])
})

test('an opening frame may be longer than this node knows', () => {
  const body = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9, 42, 42)
  expect(read(raw(FRAME_TYPES.hello, body))).toEqual([{ type: 'hello', features: 0, window: { messages: 7, bytes: 9 } }])
})

test('a status that is not known counts as busy', () => {
  expect(read(raw(FRAME_TYPES.receipt, Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 2, 99)))).toEqual([
    { type: 'receipt', receipts: [{ first: 1, last: 2, status: 'busy' }] }
  ])
})

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const inbox = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9:._-]{0,40}$/)
const payload = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes))
const receipt = fc.record({
  first: fc.integer({ min: 0, max: 1000 }),
  last: fc.integer({ min: 1000, max: 5000 }),
  status: fc.constantFrom('delivered' as const, 'no-such-inbox' as const, 'busy' as const)
})
const frame: fc.Arbitrary<KeptFrame> = fc.oneof(
  fc.record({ type: fc.constant('hello' as const), features: u32, window: fc.record({ messages: u32, bytes: u32 }) }),
  fc.record({ type: fc.constant('message' as const), id: u32, inbox, payload }),
  fc.record({ type: fc.constant('start' as const), id: u32, inbox, total: u32, payload }),
  fc.record({ type: fc.constant('part' as const), id: u32, payload: payload.filter(({ length }) => length > 0) }),
  fc.record({ type: fc.constant('receipt' as const), receipts: fc.array(receipt, { minLength: 1, maxLength: 20 }) })
)

test('frames are read as they were written, whatever chunks they come in', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 5 }),
      (frames, sizes) => {
        const bytes = encodeFrames(frames)
        expect(bytes.length).toBe(frames.reduce((sum, one) => sum + sizeOfFrame(one), 0))
        expect(read(bytes, sizes)).toEqual(frames)
      }
    )
  )
})

test('memory for an unfinished frame grows with what arrived, not with what was announced', () => {
  let reserved = 0
  const reader = createKeptReader(
    () => undefined,
    (bytes) => {
      reserved += bytes
    }
  )
  reader.push(Uint8Array.of(FRAME_TYPES.message, 0, 0xff, 0xff, 1, 2, 3))
  expect(reserved).toBeLessThanOrEqual(1024)
  reader.push(new Uint8Array(3000))
  expect(reserved).toBeLessThanOrEqual(8192)
  reader.push(new Uint8Array(MAX_BODY - 3003))
  expect(reserved).toBeLessThanOrEqual(MAX_BODY + 4)
  expect(reader.unfinished).toBe(0)
})
