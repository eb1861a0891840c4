import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeBase32,
  decodeBase58,
  decodeBase64,
  decodeHex,
  encodeBase32,
  encodeBase58,
  encodeBase64,
  encodeHex,
  nearest
} from './text.ts'

describe('texts of bytes', () => {
  test.each([
    [decodeBase32, 'mzxw6===', 'lower case'],
    [decodeBase32, 'MZXW6', 'no padding'],
    [decodeBase32, 'MZXW7===', 'bits left over'],
    [decodeBase58, '0OIl', 'letters that base58 leaves out'],
    [decodeBase58, 'z'.repeat(257), 'too long'],
    [decodeBase64, 'Zm9v\n', 'a line feed'],
    [decodeBase64, 'Zm8', 'no padding'],
    [decodeBase64, 'Zm9=', 'bits left over'],
    [decodeHex, 'abc', 'an odd number of digits'],
    [decodeHex, 'zz', 'no digits']
  ])('%o refuses %s: %s', (decode, text) => {
    expect(decode(text).ok).toBe(false)
  })

  test.each([
    ['base32', encodeBase32, decodeBase32],
    ['base58', encodeBase58, decodeBase58],
    ['base64', encodeBase64, decodeBase64],
    ['hexadecimal', encodeHex, decodeHex]
  ])('%s comes back as it went', (_name, encode, decode) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (data) => {
        expect(decode(encode(data))).toEqual({ ok: true, value: data })
      })
    )
  })

  test('base32 is read only from the text that it is written as', () => {
    const texts = fc.string({ unit: fc.constantFrom('A', 'B', 'Q', '7', '=', 'a'), maxLength: 24 })
    fc.assert(
      fc.property(texts, (text) => {
        const data = decodeBase32(text)
        expect(data.ok ? encodeBase32(data.value) : text).toBe(text)
      }),
      { numRuns: 2000 }
    )
  })
})

describe('no two texts', () => {
  test.each([
    ['base58', encodeBase58, decodeBase58, '12Zzab'],
    ['base64', encodeBase64, decodeBase64, 'AQgw+/-_= '],
    ['hexadecimal', encodeHex, decodeHex, '09afg']
  ])('in %s are the same bytes: a text is read only as it is written', (_name, encode, decode, characters) => {
    const texts = fc.string({ unit: fc.constantFrom(...characters), maxLength: 12 })
    fc.assert(
      fc.property(texts, (text) => {
        const data = decode(text)
        expect(data.ok ? encode(data.value) : text).toBe(text)
      }),
      { numRuns: 2000 }
    )
  })

  test('but those of hexadecimal in upper case, which the reference reads', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (data) => {
        expect(decodeHex(encodeHex(data).toUpperCase())).toEqual({ ok: true, value: data })
      })
    )
  })
})

test('the nearest name is offered only when it is near', () => {
  expect(nearest('dnsname', ['dns_name', 'type'])).toBe('dns_name')
  expect(nearest('entirely', ['dns_name', 'type'])).toBeUndefined()
})
