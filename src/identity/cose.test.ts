import { generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeHex, utf8 } from '../base/index.ts'
import { encodeHead, encodeString, readHead, skipItem } from './cbor.ts'
import { cardanoCheck, ed25519OfCoseKey, isHashedCose } from './cose.ts'
import { hex } from './fixtures.ts'

const X = '34'.repeat(32)

describe('a COSE_Key', () => {
  test.each([
    ['no CBOR', ''],
    ['an array', '80'],
    ['a map that ends early', 'a40101'],
    ['another key type', `a30102200621${'5820'}${X}`],
    ['another curve', `a3010120072158 20${X}`.replace(' ', '')],
    ['no x', 'a201012006'],
    ['an x of 31 bytes', `a301012006215820${X}`.replace('5820', '581f').slice(0, -2)],
    ['a repeated label', `a40101010120062158 20${X}`.replace(' ', '')],
    ['bytes after the map', `a301012006215820${X}00`],
    ['an indefinite map', `bf01012006215820${X}ff`]
  ])('is refused with %s', (_what, text) => {
    expect(ed25519OfCoseKey(hex(text))).toBeUndefined()
  })

  test('gives its x, whatever else it holds', () => {
    const withOthers = `a5010120062158 20${X}0327 6461626364 8301a10203f6`.replaceAll(' ', '')
    expect(encodeHex(ed25519OfCoseKey(hex(withOthers)) ?? new Uint8Array())).toBe(X)
  })
})

describe('a COSE_Sign1', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const message = utf8('dms:token:{}'.repeat(30))
  const protectedBytes = hex('a10127')

  function coseSign1({ header = encodeString(protectedBytes), unprotected = hex('a0'), payload = hex('f6') } = {}): Uint8Array {
    const signed = Buffer.concat([
      hex('84'),
      encodeString('Signature1'),
      encodeString(protectedBytes),
      hex('40'),
      encodeString(message)
    ])
    return Buffer.concat([hex('84'), header, unprotected, payload, encodeString(sign(null, signed, privateKey))])
  }

  const check = cardanoCheck(point)

  test.each([
    ['an array of three', Buffer.concat([hex('83'), coseSign1().subarray(1)])],
    ['other protected bytes', coseSign1({ header: encodeString(hex('a10126')) })],
    ['a protected header that is a map', coseSign1({ header: hex('a10127') })],
    ['an unprotected header that is no map', coseSign1({ unprotected: hex('80') })],
    ['a byte after it', Buffer.concat([coseSign1(), hex('00')])],
    ['its last byte missing', coseSign1().subarray(0, -1)],
    ['a payload that never ends', coseSign1({ payload: hex('9bffffffffffffffff') })],
    ['more than 64 KiB', coseSign1({ payload: encodeString(new Uint8Array(65_536)) })]
  ])('is refused with %s', (_what, signature) => {
    expect(check(message, signature)).toBe(false)
  })

  test('verifies with any payload and any unprotected header', () => {
    expect(check(message, coseSign1())).toBe(true)
    const signature = coseSign1({ unprotected: hex('a166686173686564f4'), payload: hex(`${'81'.repeat(5000)}00`) })
    expect(check(message, signature)).toBe(true)
    expect(check(utf8('another'), signature)).toBe(false)
  })
})

describe('a COSE_Sign1 says that a hash was signed', () => {
  const HASHED = '66686173686564'
  const cose = (protectedBytes: string, unprotected: string): Uint8Array =>
    Buffer.concat([hex('84'), encodeString(hex(protectedBytes)), hex(unprotected), hex('f6'), encodeString(new Uint8Array(64))])

  test.each([
    ['nothing', new Uint8Array()],
    ['something else', hex('a0')],
    ['headers without the word', cose('a10127', 'a0')],
    ['hashed: false', cose('a10127', `a1${HASHED}f4`)],
    ['hashed: 1', cose('a10127', `a1${HASHED}01`)],
    ['the word as a value', cose(`a101${HASHED}`, 'a0')],
    ['the word as bytes', cose('a10127', `a1${HASHED.replace('66', '46')}f5`)],
    ['a map that ends early', cose('a301', 'a0')]
  ])('not with %s', (_what, data) => {
    expect(isHashedCose(data)).toBe(false)
  })

  test('when either header says so, wherever in it', () => {
    expect(isHashedCose(cose('a10127', `a1${HASHED}f5`))).toBe(true)
    expect(isHashedCose(cose(`a20127${HASHED}f5`, 'a0'))).toBe(true)
  })

  test('or not, and never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 80 }), (first, second) => {
        expect([true, false]).toContain(isHashedCose(Buffer.concat([hex('84'), encodeString(first), second])))
      })
    )
  })
})

describe('CBOR', () => {
  test('has no item where the data ends within one', () => {
    for (const text of [
      '',
      '18',
      '19ff',
      '5803aabb',
      '82',
      '8201',
      'a101',
      'c0',
      '1c',
      '5f',
      '1bffffffffffffff',
      '5bffffffffffffffff',
      '9bffffffffffffffff01'
    ]) {
      expect(skipItem(hex(text), 0), text).toBeUndefined()
    }
  })

  test('is skipped whole, numbers of 64 bits included', () => {
    for (const text of ['00', '1bffffffffffffffff', 'fb3ff199999999999a', 'f6', 'c101', 'a2018220a00243010203', '6161']) {
      expect(skipItem(hex(`${text}ff`), 0), text).toBe(text.length / 2)
    }
  })

  test('is read back as it was written, with the shortest lengths', () => {
    for (const [length, head] of [
      [0, '40'],
      [23, '57'],
      [24, '5818'],
      [255, '58ff'],
      [256, '590100'],
      [65_535, '59ffff'],
      [65_536, '5a00010000']
    ] as const) {
      const item = encodeString(new Uint8Array(length))
      expect(encodeHex(item.subarray(0, item.length - length))).toBe(head)
      expect(skipItem(item, 0)).toBe(item.length)
    }
    expect(readHead(encodeHead(0, 4_294_967_295), 0)).toEqual({ major: 0, value: 4_294_967_295, next: 5 })
  })
})
