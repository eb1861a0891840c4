import { secp256k1 } from '@noble/curves/secp256k1.js'
import { describe, expect, test } from 'vitest'
import { encodeBase58 } from '../base/index.ts'
import { expectOk, hex, reasonOf } from './fixtures.ts'
import { didMethod, didOf, generateKeyPair, parseDid, parsePublicKey, publicKeyOf } from './index.ts'

const POINT = hex('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798')
const COSE_KEY = hex(`a4010103272006215820${'34'.repeat(32)}`)

function didKey(...parts: readonly (string | Uint8Array)[]): string {
  const bytes = parts.map((part) => (typeof part === 'string' ? hex(part) : part))
  return `did:key:z${encodeBase58(Uint8Array.from(Buffer.concat(bytes)))}`
}

describe('the text of a DID', () => {
  test.each(['', 'did', 'did:key', 'did:key:', 'did::z6Mk', ':key:z6Mk', 'DID:key:z6Mk', 'did:KEY:z6Mk', 'did:web:host:path'])(
    'is refused when its parts are wrong: %j',
    (text) => {
      expect(reasonOf(parseDid(text))).toContain('invalid DID')
    }
  )

  test.each(['did:key:z6 Mk', 'did:key:z6\n', 'did:key:../x', 'did:key:é', 'did:key:%4', 'did:key:\u0000'])(
    'is refused with characters outside of the syntax: %j',
    (text) => {
      expect(parseDid(text).ok).toBe(false)
    }
  )

  test('is refused over 512 characters, and the message repeats only its beginning', () => {
    expect(parseDid(`did:key:${'z'.repeat(504)}`).ok).toBe(true)
    expect(reasonOf(parseDid(`did:key:${'z'.repeat(505)}`))).toBe('invalid DID: 513 characters, at most 512 are allowed')
    expect(reasonOf(parseDid(' '.repeat(500))).length).toBeLessThan(200)
  })

  test('of any method is accepted', () => {
    const did = expectOk(parseDid('did:prism:00aa._-%20'))
    expect(didMethod(did)).toBe('prism')
  })
})

describe('a did:key', () => {
  test.each([
    ['another method', 'did:prism:00aa', 'no anchor method'],
    ['another multibase', 'did:key:f00', 'no anchor method'],
    ['a character outside of base58', 'did:key:z0', 'invalid DID'],
    ['nothing in it', 'did:key:z', 'invalid key type'],
    ['an unknown key type', didKey('1200', POINT), 'invalid key type'],
    ['a varint that is not minimal', didKey('ed8100', new Uint8Array(32)), 'invalid key type'],
    ['an Ed25519 key of 31 bytes', didKey('ed01', new Uint8Array(31)), '32 bytes, got 31'],
    ['an Ed25519 key of 33 bytes', didKey('ed01', new Uint8Array(33)), '32 bytes, got 33'],
    ['a point of 32 bytes', didKey('e701', new Uint8Array(32)), 'got 32 bytes'],
    ['a point with a wrong first byte', didKey('e701', '05', POINT.subarray(1)), 'got 33 bytes'],
    ['a point that is not on the curve', didKey('81de03', '02', 'ff'.repeat(32)), 'not on the curve'],
    ['an x without a y', didKey('81de03', '02', '00'.repeat(31), '05'), 'not on the curve'],
    ['an uncompressed point', didKey('e701', secp256k1.Point.BASE.toBytes(false)), 'shortest form'],
    ['a COSE key', didKey('82de03', COSE_KEY), 'shortest form'],
    ['a thousand digits', `did:key:z${'1'.repeat(1000)}`, 'too many']
  ])('is refused with %s', (_what, did, reason) => {
    expect(reasonOf(publicKeyOf(did))).toContain(reason)
  })

  test.each([
    ['ed25519', new Uint8Array(32).fill(7), 'did:key:z6Mk', 56],
    ['secp256k1', POINT, 'did:key:zQ3s', 57],
    ['eth', POINT, 'did:key:zzCHUy', 58],
    ['cardano', new Uint8Array(32).fill(7), 'did:key:zE4M', 57]
  ] as const)('names a key of type %s', (type, bytes, prefix, length) => {
    const did = didOf({ type, bytes })
    expect(did.startsWith(prefix)).toBe(true)
    expect(did).toHaveLength(length)
    expect(expectOk(publicKeyOf(did))).toEqual({ type, bytes })
  })

  test('is read back for every generated key', () => {
    for (let round = 0; round < 20; round += 1) {
      const { did, publicKey } = generateKeyPair()
      expect(expectOk(publicKeyOf(expectOk(parseDid(did))))).toEqual(publicKey)
    }
  })
})

describe('the bytes of a public key', () => {
  test('are refused where they are no key, and copied where they are', () => {
    expect(parsePublicKey('cardano', new Uint8Array(33)).ok).toBe(false)
    expect(parsePublicKey('eth', new Uint8Array(65).fill(4)).ok).toBe(false)
    expect(parsePublicKey('eth', new Uint8Array(0)).ok).toBe(false)
    const source = new Uint8Array(32).fill(1)
    const key = expectOk(parsePublicKey('ed25519', source))
    source.fill(2)
    expect(key.bytes).toEqual(new Uint8Array(32).fill(1))
  })

  test('may be an uncompressed point or a COSE key, as wallets give them', () => {
    expect(expectOk(parsePublicKey('eth', secp256k1.Point.BASE.toBytes(false))).bytes).toEqual(POINT)
    expect(expectOk(parsePublicKey('cardano', COSE_KEY)).bytes).toEqual(new Uint8Array(32).fill(0x34))
  })
})
