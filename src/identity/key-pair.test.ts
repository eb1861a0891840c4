import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { bytesEqual, encodeHex, utf8 } from '../base/index.ts'
import { createFixedRandom, expectOk, hex, reasonOf } from './fixtures.ts'
import {
  generateKeyPair,
  generateSecp256k1KeyPair,
  importKeyPair,
  importRawKeyPair,
  keyPairFromSeed,
  SealBrokenError
} from './index.ts'

const SEED = new Uint8Array(32).fill(9)
const KEY = keyPairFromSeed(SEED)
const PUBLIC = encodeHex(KEY.publicKey.bytes)
const ORDER = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'

describe('a private key', () => {
  test.each([
    ['nothing', ''],
    ['another message', '0a01'],
    ['RSA', `08001204${'00'.repeat(4)}`],
    ['an Ed25519 seed alone', `08011220${'09'.repeat(32)}`],
    ['a public part of another key', `08011240${'09'.repeat(32)}${'00'.repeat(32)}`],
    ['copies of the public part that differ', `08011260${'09'.repeat(32)}${PUBLIC}${'00'.repeat(32)}`],
    ['bytes after it', `08011240${'09'.repeat(32)}${PUBLIC}00`],
    ['a zero scalar', `08021220${'00'.repeat(32)}`],
    ['a scalar that is the order of the curve', `08021220${ORDER}`],
    ['a short scalar', `0802121f${'01'.repeat(31)}`]
  ])('is refused with %s, without repeating it', (_what, text) => {
    const reason = reasonOf(importKeyPair(hex(text)))
    expect(reason).not.toContain('0909')
    expect(reason).not.toMatch(/[0-9a-f]{16}/)
  })

  test('is read in the form of 64 and in the old form of 96 bytes', () => {
    expect(expectOk(importKeyPair(KEY.exportPrivate())).did).toBe(KEY.did)
    expect(expectOk(importKeyPair(hex(`08011260${'09'.repeat(32)}${PUBLIC}${PUBLIC}`))).did).toBe(KEY.did)
  })

  test('is read raw as a seed or with its public part', () => {
    expect(importRawKeyPair(new Uint8Array(33)).ok).toBe(false)
    expect(reasonOf(importRawKeyPair(new Uint8Array(64)))).toContain('does not belong')
    expect(expectOk(importRawKeyPair(SEED)).did).toBe(KEY.did)
    expect(expectOk(importRawKeyPair(hex('09'.repeat(32) + PUBLIC))).did).toBe(KEY.did)
  })

  test('of secp256k1 is written as it was read', () => {
    const text = `08021220${'07'.repeat(32)}`
    expect(encodeHex(expectOk(importKeyPair(hex(text))).exportPrivate())).toBe(text)
  })

  test('does not change with the seed it was made of', () => {
    const seed = new Uint8Array(32).fill(9)
    const key = keyPairFromSeed(seed)
    seed.fill(0)
    expect(encodeHex(key.exportPrivate())).toBe(encodeHex(KEY.exportPrivate()))
    expect(bytesEqual(key.unseal(KEY.seal(utf8('x'))), utf8('x'))).toBe(true)
  })

  test('must have a seed of 32 bytes', () => {
    expect(() => keyPairFromSeed(new Uint8Array(31))).toThrow('32 bytes, got 31')
  })

  test('is new each time, or what the given randomness says', () => {
    expect(generateKeyPair().did).not.toBe(generateKeyPair().did)
    expect(generateKeyPair(createFixedRandom(['09'.repeat(32)])).did).toBe(KEY.did)
  })

  test('is not shown by printing or serializing the pair', () => {
    for (const text of [inspect(KEY, { depth: 9, showHidden: true }), JSON.stringify(KEY)]) {
      expect(text).not.toContain('9, 9, 9')
      expect(text).not.toContain('9,9,9')
      expect(text).not.toContain('0909')
    }
  })
})

describe('a sealed record', () => {
  const data = utf8('a secret of the database')

  test('is refused when a byte of it was changed, or it is cut or empty', () => {
    const sealed = KEY.seal(data)
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Uint8Array.from(sealed, (byte, at) => (at === index ? byte ^ 1 : byte))
      expect(() => KEY.unseal(changed)).toThrow(SealBrokenError)
    }
    for (const length of [0, 1, 28, sealed.length - 1])
      expect(() => KEY.unseal(sealed.subarray(0, length))).toThrow(SealBrokenError)
  })

  test('is refused by another key', () => {
    expect(() => generateKeyPair().unseal(KEY.seal(data))).toThrow('another key')
  })

  test('is opened by the key that made it, also when that was read again', () => {
    const again = expectOk(importKeyPair(KEY.exportPrivate()))
    expect(encodeHex(again.unseal(KEY.seal(data)))).toBe(encodeHex(data))
    expect(KEY.unseal(KEY.seal(new Uint8Array()))).toHaveLength(0)
  })

  test('never repeats', () => {
    expect(encodeHex(KEY.seal(data))).not.toBe(encodeHex(KEY.seal(data)))
    expect(encodeHex(KEY.seal(data))).not.toContain(encodeHex(data))
  })
})

describe('a new secp256k1 key', () => {
  test('is drawn again when the scalar is zero or the order of the curve', () => {
    const random = createFixedRandom(['00'.repeat(32), ORDER, '01'.repeat(32)])
    const key = generateSecp256k1KeyPair(random)
    expect(key.did).toBe(expectOk(importKeyPair(hex(`08021220${'01'.repeat(32)}`))).did)
  })

  test('is another one each time and keeps its kind in its private form', () => {
    const key = generateSecp256k1KeyPair()
    expect(key.publicKey.type).toBe('secp256k1')
    expect(generateSecp256k1KeyPair().did).not.toBe(key.did)
    expect(expectOk(importKeyPair(key.exportPrivate())).did).toBe(key.did)
  })
})
