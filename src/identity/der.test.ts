import { secp256k1 } from '@noble/curves/secp256k1.js'
import { describe, expect, test } from 'vitest'
import { encodeHex } from '../base/index.ts'
import { encodeDerSignature, encodeEcdsaSignature, parseDerSignature, toCompactSignature } from './der.ts'
import { hex } from './fixtures.ts'

const ORDER = secp256k1.Point.Fn.ORDER
const ORDER_HEX = ORDER.toString(16)

describe('a DER signature', () => {
  test.each([
    ['nothing', ''],
    ['only a head', '3000'],
    ['another tag', '3106020101020101'],
    ['a length that is too small', '3005020101020101'],
    ['a length that is too large', '3007020101020101'],
    ['a long-form length', '308106020101020101'],
    ['a byte after it', '300602010102010100'],
    ['a byte inside after s', '300702010102010100'],
    ['r of another type', '3006030101020101'],
    ['an empty r', '30050200020101'],
    ['a negative r', '3006020181020101'],
    ['a needless zero before r', '300702020001020101'],
    ['r = 0', '3006020100020101'],
    ['s = 0', '3006020101020100'],
    ['r = n', `3026022100${ORDER_HEX}020101`],
    ['s = n', `3026020101022100${ORDER_HEX}`],
    ['r of 34 bytes', `3027022201${'00'.repeat(33)}020101`],
    ['an s that ends after the data', '3006020101020201'],
    ['no s', '3003020101']
  ])('is refused with %s', (_what, text) => {
    expect(parseDerSignature(hex(text))).toBeUndefined()
  })

  test('is written with the low s and read back', () => {
    expect(parseDerSignature(hex(encodeHex(encodeDerSignature({ r: 1n, s: ORDER - 1n }))))).toEqual({ r: 1n, s: 1n })
    expect(encodeHex(encodeDerSignature({ r: 128n, s: 256n }))).toBe('300802020080' + '02020100')
  })

  test('with a high s is read', () => {
    const highest = (ORDER - 1n).toString(16)
    expect(parseDerSignature(hex(`3026022100${highest}020101`))).toEqual({ r: ORDER - 1n, s: 1n })
    expect(parseDerSignature(hex(`3026020101022100${highest}`))).toEqual({ r: 1n, s: ORDER - 1n })
  })

  test('agrees with an independent reader and writer', () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const secret = new Uint8Array(32).fill(seed)
      const der = secp256k1.sign(Uint8Array.of(seed), secret, { format: 'der' })
      const numbers = parseDerSignature(der)
      expect(numbers).toBeDefined()
      if (numbers === undefined) return
      expect(encodeHex(encodeDerSignature(numbers))).toBe(encodeHex(der))
      expect(encodeHex(toCompactSignature(numbers))).toBe(encodeHex(secp256k1.Signature.fromBytes(der, 'der').toBytes('compact')))
    }
  })
})

describe('a signature from two numbers as wallets give them', () => {
  test.each([
    ['r', '', '01'],
    ['r', '00', '01'],
    ['s', '01', '0000'],
    ['r', ORDER_HEX, '01'],
    ['s', '01', 'ff'.repeat(33)],
    ['s', '01', 'ff'.repeat(5000)]
  ])('is refused when %s is out of range', (path, r, s) => {
    expect(encodeEcdsaSignature(hex(r), hex(s))).toMatchObject({ ok: false, error: { path } })
  })

  test('is DER with the low s, whatever zeros lead', () => {
    const der = encodeEcdsaSignature(hex('0001'), hex(`00${(ORDER - 1n).toString(16)}`))
    expect(der.ok && encodeHex(der.value)).toBe('3006020101020101')
  })
})
