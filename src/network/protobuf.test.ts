import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../base/index.ts'
import { bytesField, bytesFields, decodeProtobuf, encodeProtobuf, numberField } from './protobuf.ts'

describe('decoding', () => {
  test.each([
    ['a number without an end', [0x08, 0x80], 'ends within a number'],
    ['a number that never ends', [0x08, ...new Array<number>(11).fill(0xff)], 'more than 10 bytes'],
    ['bytes that are not there', [0x0a, 0x05, 0x01], 'announces 5 bytes, 1 are left'],
    ['more bytes than a computer has', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 'announces'],
    ['a group', [0x0b], 'wire type 3']
  ])('refuses %s', (_what, message, reason) => {
    const decoded = decodeProtobuf(Uint8Array.from(message))
    expect(decoded.ok ? 'accepted' : decoded.error).toContain(reason)
  })

  test('leaves out fields of fixed width', () => {
    const message = [0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4, 0x18, 0x07]
    expect(decodeProtobuf(Uint8Array.from(message))).toEqual({ ok: true, value: [{ number: 3, value: 7n }] })
  })

  test('never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (message) => typeof decodeProtobuf(message).ok === 'boolean'))
  })
})

test('what was encoded is decoded', () => {
  const field = fc.record({
    number: fc.integer({ min: 1, max: 2 ** 20 }),
    value: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.uint8Array({ maxLength: 300 }))
  })
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      const decoded = decodeProtobuf(encodeProtobuf(fields))
      expect(decoded).toEqual({ ok: true, value: fields })
    })
  )
})

test('is the encoding of the reference: text 1 and number 150 as in the documentation of protobuf', () => {
  const encoded = encodeProtobuf([
    { number: 1, value: 150n },
    { number: 2, value: utf8('testing') }
  ])
  expect(Buffer.from(encoded).toString('hex')).toBe('089601120774657374696e67')
})

test('fields are found by their number, the last one counts', () => {
  const fields = [
    { number: 1, value: utf8('a') },
    { number: 1, value: utf8('b') },
    { number: 2, value: 1n },
    { number: 2, value: 2n }
  ]
  expect(bytesField(fields, 1)).toEqual(utf8('b'))
  expect(bytesFields(fields, 1)).toEqual([utf8('a'), utf8('b')])
  expect(numberField(fields, 2)).toBe(2n)
  expect(bytesField(fields, 2)).toBeUndefined()
  expect(numberField(fields, 1)).toBeUndefined()
})
