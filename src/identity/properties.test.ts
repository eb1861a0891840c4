import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesEqual, createSecret, encodeHex, systemRandom } from '../base/index.ts'
import { expectOk } from './fixtures.ts'
import {
  actorIdOf,
  didOf,
  didOfActorId,
  encodeActorId,
  importKeyPair,
  keyPairFromSeed,
  parseActorId,
  parseDid,
  peerIdOf,
  publicKeyOf,
  publicKeyOfPeerId,
  verifySignature,
  WrongPassphraseError
} from './index.ts'
import { decryptKeyFile, encryptKeyFile } from './key-file.ts'

const cost = { n: 2, r: 1, p: 1 }
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 })

/** Keys of both kinds that can be stored. */
const keys = fc.oneof(
  seeds.map(keyPairFromSeed),
  seeds
    .map((seed) => importKeyPair(Uint8Array.from([0x08, 0x02, 0x12, 0x20, ...seed])))
    .filter((key) => key.ok)
    .map(expectOk)
)
const passphrases = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }).filter((text) => !text.includes('\0'))

describe('a key file', () => {
  test('gives back every key under every passphrase, and under no other', async () => {
    await fc.assert(
      fc.asyncProperty(keys, passphrases, passphrases, async (key, passphrase, other) => {
        const content = { id: 'user', privateKey: key.exportPrivate() }
        const text = await encryptKeyFile(content, createSecret(passphrase), { cost, random: systemRandom })
        const opened = expectOk(importKeyPair(await decryptKeyFile(text, createSecret(passphrase))))
        expect(opened.did).toBe(key.did)
        expect(text).not.toContain(encodeHex(key.exportPrivate()).slice(8, 40))
        if (other !== passphrase) await expect(decryptKeyFile(text, createSecret(other))).rejects.toThrow(WrongPassphraseError)
      }),
      { numRuns: 60 }
    )
  })

  test('never opens as another key, whichever digit of it was changed', async () => {
    const key = keyPairFromSeed(new Uint8Array(32).fill(7))
    const secret = createSecret('correct horse')
    const text = await encryptKeyFile({ id: 'user', privateKey: key.exportPrivate() }, secret, { cost, random: systemRandom })
    const digits = [...text.matchAll(/[0-9a-f](?=[0-9a-f]*")/g)].map(({ index }) => index)
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...digits), fc.constantFrom(...'0123456789abcdef'), async (at, digit) => {
        const changed = text.slice(0, at) + digit + text.slice(at + 1)
        // The MAC does not cover the iv (A §6.2): only the key's own form tells that it was changed.
        const opened = await decryptKeyFile(changed, secret).then(importKeyPair, () => undefined)
        if (opened?.ok === true) expect(bytesEqual(opened.value.exportPrivate(), key.exportPrivate())).toBe(true)
      }),
      { numRuns: 300 }
    )
  })
})

describe('the names of a key', () => {
  test('lead back to it, and to each other', () => {
    fc.assert(
      fc.property(keys, ({ publicKey, did, actorId, peerId }) => {
        expect(parseDid(did)).toEqual({ ok: true, value: did })
        expect(publicKeyOf(did)).toEqual({ ok: true, value: publicKey })
        expect(didOf(publicKey)).toBe(did)
        expect(actorIdOf(publicKey)).toEqual({ ok: true, value: actorId })
        expect(parseActorId(encodeActorId(actorId))).toEqual({ ok: true, value: actorId })
        expect(didOfActorId(actorId)).toEqual({ ok: true, value: did })
        expect(publicKeyOfPeerId(peerId)).toEqual({ ok: true, value: publicKey })
        expect(peerIdOf(publicKey)).toBe(peerId)
      })
    )
  })
})

describe('a signature', () => {
  test('holds for its message and its key, and for nothing that differs from them in a bit', async () => {
    const messages = fc.uint8Array({ minLength: 1, maxLength: 64 })
    await fc.assert(
      fc.asyncProperty(keys, messages, fc.nat(511), fc.nat(511), async (key, message, messageBit, signatureBit) => {
        const signature = await key.sign(message)
        expect(verifySignature(key.did, message, signature)).toBe(true)
        expect(verifySignature(key.did, flip(message, messageBit), signature)).toBe(false)
        expect(verifySignature(key.did, message, flip(signature, signatureBit))).toBe(false)
      }),
      { numRuns: 60 }
    )
  })
})

function flip(data: Uint8Array, bit: number): Uint8Array {
  const at = (bit >> 3) % data.length
  return data.map((byte, index) => (index === at ? byte ^ (1 << (bit & 7)) : byte))
}
