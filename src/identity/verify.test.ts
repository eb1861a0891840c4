import { randomBytes } from 'node:crypto'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../base/index.ts'
import { personalMessageHash } from './eth.ts'
import { expectOk, hex } from './fixtures.ts'
import {
  createVerifier,
  didOf,
  generateKeyPair,
  importKeyPair,
  type KeyType,
  parsePublicKey,
  verifySignature,
  verifyWithKey
} from './index.ts'

const MESSAGE = utf8('dms:token:{}')
const SCALAR = new Uint8Array(32).fill(6)
const POINT = secp256k1.getPublicKey(SCALAR, true)
const ORDER = secp256k1.Point.Fn.ORDER
const KEY_TYPES: readonly KeyType[] = ['ed25519', 'secp256k1', 'eth', 'cardano']

/** The same signature with the other s, in DER. */
function withHighS(der: Uint8Array): Uint8Array {
  const { r, s } = secp256k1.Signature.fromBytes(der, 'der')
  return new secp256k1.Signature(r, ORDER - s).toBytes('der')
}

describe('a signature', () => {
  test.each(KEY_TYPES)('of random bytes is false for a key of type %s, never an exception', (type) => {
    const bytes = type === 'ed25519' || type === 'cardano' ? generateKeyPair().publicKey.bytes : POINT
    const did = didOf({ type, bytes })
    for (const length of [0, 1, 2, 8, 63, 64, 65, 70, 71, 72, 73, 200, 70_000]) {
      expect(verifySignature(did, MESSAGE, randomBytes(length))).toBe(false)
      expect(verifyWithKey({ type, bytes }, MESSAGE, new Uint8Array(length))).toBe(false)
    }
  })

  test.each(['', 'did:key:z', 'did:prism:00', 'did:key:z6Mk', '\u0000', 'did:key:z'.repeat(100)])(
    'is false for the DID %j',
    (did) => {
      expect(verifySignature(did, MESSAGE, new Uint8Array(64))).toBe(false)
      expect(createVerifier().verify(did, MESSAGE, new Uint8Array(64))).toBe(false)
    }
  )

  test.each(KEY_TYPES)('is false for a %s key that is none', (type) => {
    expect(verifyWithKey({ type, bytes: new Uint8Array(5) }, MESSAGE, new Uint8Array(64))).toBe(false)
  })

  test('by Ed25519 verifies for its message and key, and not with S + L', async () => {
    const key = generateKeyPair()
    const signature = await key.sign(MESSAGE)
    expect(verifySignature(key.did, utf8('another'), signature)).toBe(false)
    expect(verifySignature(generateKeyPair().did, MESSAGE, signature)).toBe(false)
    expect(verifySignature(key.did, MESSAGE, addGroupOrder(signature))).toBe(false)
    expect(verifySignature(key.did, MESSAGE, signature)).toBe(true)
  })

  test('by secp256k1 verifies with low and high s, in DER only', async () => {
    const key = expectOk(importKeyPair(Uint8Array.from([0x08, 0x02, 0x12, 0x20, ...SCALAR])))
    const signature = await key.sign(MESSAGE)
    expect(verifySignature(key.did, utf8('another'), signature)).toBe(false)
    expect(verifySignature(key.did, MESSAGE, secp256k1.Signature.fromBytes(signature, 'der').toBytes('compact'))).toBe(false)
    expect(verifySignature(key.did, MESSAGE, signature)).toBe(true)
    expect(verifySignature(key.did, MESSAGE, withHighS(signature))).toBe(true)
    expect(verifySignature(key.did, MESSAGE, secp256k1.sign(MESSAGE, SCALAR, { format: 'der' }))).toBe(true)
  })

  test('by secp256k1 is made with the low s, as an independent checker confirms', async () => {
    const key = expectOk(importKeyPair(Uint8Array.from([0x08, 0x02, 0x12, 0x20, ...SCALAR])))
    for (let round = 0; round < 20; round += 1) {
      const signature = await key.sign(Uint8Array.of(round))
      expect(secp256k1.verify(signature, Uint8Array.of(round), POINT, { format: 'der', lowS: true })).toBe(true)
    }
  })

  test('by an Ethereum wallet verifies with low and high s, over the personal-message hash only', () => {
    const did = didOf({ type: 'eth', bytes: POINT })
    const signature = secp256k1.sign(personalMessageHash(MESSAGE), SCALAR, { prehash: false, format: 'der' })
    expect(verifySignature(did, MESSAGE, secp256k1.sign(MESSAGE, SCALAR, { format: 'der' }))).toBe(false)
    expect(verifySignature(didOf({ type: 'secp256k1', bytes: POINT }), MESSAGE, signature)).toBe(false)
    expect(verifySignature(did, MESSAGE, signature)).toBe(true)
    expect(verifySignature(did, MESSAGE, withHighS(signature))).toBe(true)
  })

  test('counts the bytes of a personal message, not its characters', () => {
    const message = utf8('grüezi €')
    const signature = secp256k1.sign(personalMessageHash(message), SCALAR, { prehash: false, format: 'der' })
    expect(verifyWithKey(expectOk(parsePublicKey('eth', POINT)), message, signature)).toBe(true)
  })
})

/** The same signature with S + L instead of S, which only lax checkers accept. */
function addGroupOrder(signature: Uint8Array): Uint8Array {
  const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + groupOrder
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()])
}

describe('a verifier', () => {
  test('refuses an actor id that holds no key that can act', () => {
    const key = generateKeyPair()
    key.actorId.set([0x00], 1)
    expect(createVerifier().verifyByActorId(key.actorId, MESSAGE, new Uint8Array(64))).toBe(false)
  })

  test('gives the same answers however few keys it remembers', async () => {
    for (const capacity of [0, 1, 2]) {
      const verifier = createVerifier({ capacity })
      const keys = [generateKeyPair(), generateKeyPair(), generateKeyPair()]
      for (const key of [...keys, ...keys]) {
        const signature = await key.sign(MESSAGE)
        expect(verifier.verify(key.did, utf8('another'), signature)).toBe(false)
        expect(verifier.verify(key.did, MESSAGE, signature)).toBe(true)
        expect(verifier.verifyByActorId(key.actorId, MESSAGE, signature)).toBe(true)
        expect(verifier.verify(didOf({ type: 'cardano', bytes: key.publicKey.bytes }), MESSAGE, signature)).toBe(false)
      }
    }
  })

  test('verifies every kind of key twice', () => {
    const verifier = createVerifier()
    const signature = secp256k1.sign(personalMessageHash(MESSAGE), SCALAR, { prehash: false, format: 'der' })
    const did = didOf({ type: 'eth', bytes: POINT })
    expect([verifier.verify(did, MESSAGE, signature), verifier.verify(did, MESSAGE, signature)]).toEqual([true, true])
    expect(verifier.verify(did, MESSAGE, hex('3006020101020101'))).toBe(false)
  })
})
