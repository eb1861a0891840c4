import { describe, expect, test } from 'vitest'
import { encodeBase32, encodeBase58 } from '../base/index.ts'
import { expectOk, hex, reasonOf } from './fixtures.ts'
import {
  actorIdOf,
  didOf,
  didOfActorId,
  encodeActorId,
  importKeyPair,
  keyPairFromSeed,
  type PublicKey,
  parseActorId,
  peerIdOf,
  publicKeyOfActorId,
  publicKeyOfPeerId,
  UnsupportedKeyError
} from './index.ts'

const ED25519 = keyPairFromSeed(new Uint8Array(32).fill(1))
const SECP256K1 = expectOk(importKeyPair(hex(`08021220${'01'.repeat(32)}`)))
const WALLET_KEYS: readonly PublicKey[] = [
  { type: 'eth', bytes: SECP256K1.publicKey.bytes },
  { type: 'cardano', bytes: ED25519.publicKey.bytes }
]
const VALID = encodeActorId(ED25519.actorId)

describe('an actor id', () => {
  test.each(WALLET_KEYS)('is refused to a wallet key of type $type', (key) => {
    expect(reasonOf(actorIdOf(key))).toContain(`a key of type ${key.type} cannot act`)
    expect(() => peerIdOf(key)).toThrow(UnsupportedKeyError)
  })

  test.each([
    ['the empty text', ''],
    ['lower case', VALID.toLowerCase()],
    ['no padding', VALID.replaceAll('=', '')],
    ['a line break', `${VALID.slice(0, 8)}\n${VALID.slice(9)}`],
    ['trailing bits', VALID.replace(/.(=+)$/, 'D$1')],
    ['a longer text', `${VALID}AAAAAAAA`],
    ['an RSA key', encodeBase32(hex(`08001220${'30'.repeat(32)}`))],
    ['an ECDSA key', encodeBase32(hex(`08031220${'30'.repeat(32)}`))],
    ['a short key', encodeBase32(hex(`0801121f${'30'.repeat(31)}`))],
    ['members in another order', encodeBase32(hex(`1220${'30'.repeat(32)}0801`))],
    ['a wrong announced length', encodeBase32(hex(`08011221${'30'.repeat(32)}`))],
    ['a point that is not on the curve', encodeBase32(hex(`08021221${'02'}${'ff'.repeat(32)}`))]
  ])('is refused with %s', (_what, text) => {
    expect(parseActorId(text).ok).toBe(false)
  })

  test('of a type that cannot act says so', () => {
    expect(reasonOf(parseActorId(encodeBase32(hex(`08001220${'30'.repeat(32)}`))))).toContain('keys of libp2p type 0 cannot act')
    expect(didOfActorId(hex(`08031220${'30'.repeat(32)}`)).ok).toBe(false)
    expect(publicKeyOfActorId(new Uint8Array()).ok).toBe(false)
  })

  test.each([ED25519, SECP256K1])('of a key of type $publicKey.type is read back', (key) => {
    const id = expectOk(parseActorId(encodeActorId(key.actorId)))
    expect(id).toEqual(key.actorId)
    expect(expectOk(publicKeyOfActorId(id))).toEqual(key.publicKey)
    expect(expectOk(didOfActorId(id))).toBe(key.did)
    expect(didOf(key.publicKey)).toBe(key.did)
  })
})

describe('a peer id', () => {
  test.each([
    ['the hash of a key', 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N', 'does not hold the key'],
    ['nothing', '', 'not the identity multihash'],
    ['a character outside of base58', '12D3KooW0', 'invalid peer id'],
    ['too many characters', '1'.repeat(65), 'at most 64'],
    ['a wrong length byte', encodeBase58(hex(`0023${'080112200000'}`)), 'not the identity multihash'],
    ['an RSA key', encodeBase58(hex(`002408001220${'30'.repeat(32)}`)), 'cannot act']
  ])('is refused with %s', (_what, text, reason) => {
    expect(reasonOf(publicKeyOfPeerId(text))).toContain(reason)
  })

  test('gives its key back', () => {
    expect(ED25519.peerId).toMatch(/^12D3KooW/)
    expect(SECP256K1.peerId).toMatch(/^16Uiu2/)
    expect(expectOk(publicKeyOfPeerId(ED25519.peerId))).toEqual(ED25519.publicKey)
    expect(expectOk(publicKeyOfPeerId(SECP256K1.peerId))).toEqual(SECP256K1.publicKey)
  })
})
