import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import actorVectors from '../../test/vectors/actor.json' with { type: 'json' }
import vectors from '../../test/vectors/identity.json' with { type: 'json' }
import { createSecret, encodeHex, utf8 } from '../base/index.ts'
import { encodeDerSignature } from './der.ts'
import { personalMessageHash } from './eth.ts'
import { createFixedRandom, expectOk, hex, jsonObject, jsonText } from './fixtures.ts'
import {
  actorIdOf,
  createKeystore,
  createVerifier,
  didMethod,
  didOf,
  didOfActorId,
  encodeActorId,
  importKeyPair,
  type KeyType,
  keyPairFromSeed,
  parseActorId,
  parseDid,
  parsePublicKey,
  peerIdOf,
  publicKeyOf,
  publicKeyOfPeerId,
  verifySignature,
  verifyWithKey
} from './index.ts'
import { decryptKeyFile, encryptKeyFile } from './key-file.ts'

/** Where we refuse what the reference takes, by input. */
const STRICTER: Readonly<Record<string, string>> = {
  'foo:bar:baz': 'only `did` begins a DID (W20)',
  'did:key:z!!invalid': '`!` is not a character of DIDs; the reference refuses it one step later, as an anchor (W20)'
}

const KEY_TYPES: readonly KeyType[] = ['ed25519', 'secp256k1', 'eth', 'cardano']

function keyTypeOf(text: string): KeyType {
  const type = KEY_TYPES.find((candidate) => candidate === text)
  if (type === undefined) throw new Error(`the vectors name an unknown key type ${text}`)
  return type
}

describe('didParse', () => {
  test.each(vectors.didParse)('$input', (vector) => {
    const parsed = parseDid(vector.input)
    expect(parsed.ok).toBe(vector.valid && STRICTER[vector.input] === undefined)
    if (!parsed.ok) expect(parsed.error.message).toContain('invalid DID')
    if (parsed.ok && vector.method !== undefined) expect(didMethod(parsed.value)).toBe(vector.method)
  })
})

describe('didKey', () => {
  test.each(vectors.didKey)('$did', ({ did, keyType, publicKeyHex }) => {
    const key = expectOk(publicKeyOf(did))
    expect(key.type).toBe(keyType)
    expect(encodeHex(key.bytes)).toBe(publicKeyHex)
    expect(didOf(expectOk(parsePublicKey(keyTypeOf(keyType), hex(publicKeyHex))))).toBe(did)
    expect(expectOk(parseDid(did))).toBe(did)
  })

  test("is NuNet's own DID in both files", () => {
    const key = expectOk(publicKeyOf(actorVectors.nunet_did.did))
    expect(`81de03${encodeHex(key.bytes)}`).toBe(actorVectors.nunet_did.decoded_hex_after_multibase_z)
  })
})

describe('keys', () => {
  test.each(vectors.keys.ed25519)('$name', (vector) => {
    const key = keyPairFromSeed(hex(vector.seedHex))
    expect(encodeHex(key.publicKey.bytes)).toBe(vector.publicKeyHex)
    expect(key.did).toBe(vector.did)
    expect(encodeHex(key.exportPrivate())).toBe(vector.privateKeyProtobufHex)
    expect(encodeHex(key.actorId)).toBe(vector.publicKeyProtobufHex)
    expect(encodeActorId(key.actorId)).toBe(vector.actorIdPub)
    expect(expectOk(importKeyPair(hex(vector.privateKeyProtobufHex))).did).toBe(vector.did)
    expect(expectOk(didOfActorId(expectOk(parseActorId(vector.actorIdPub))))).toBe(vector.did)
  })

  test.each(vectors.keys.extra)('libp2p key $peer', async ({ privPb, pubPb, peer, message, sig }) => {
    const key = expectOk(importKeyPair(hex(privPb)))
    expect(encodeHex(key.actorId)).toBe(pubPb)
    expect(key.peerId).toBe(peer)
    expect(encodeHex(await key.sign(utf8(message)))).toBe(sig)
    expect(verifySignature(key.did, utf8(message), hex(sig))).toBe(true)
    expect(createVerifier().verifyByActorId(key.actorId, utf8(message), hex(sig))).toBe(true)
  })
})

describe('actor identities', () => {
  test.each(actorVectors.identities.items)('$name', (vector) => {
    const key = keyPairFromSeed(hex(vector.ed25519_seed_hex))
    expect(encodeHex(key.publicKey.bytes)).toBe(vector.ed25519_public_raw_hex)
    expect(encodeHex(expectOk(actorIdOf(key.publicKey)))).toBe(vector.libp2p_public_key_protobuf_hex)
    expect(encodeActorId(key.actorId)).toBe(vector.id_string_base32)
    expect(key.did).toBe(vector.did)
    expect(peerIdOf(key.publicKey)).toBe(vector.peer_id)
    expect(expectOk(publicKeyOfPeerId(vector.peer_id))).toEqual(key.publicKey)
  })
})

describe('ethPersonalSign', () => {
  test.each(vectors.ethPersonalSign.rejects)('refuses a signature that is not DER: %o', (vector) => {
    const signature = 'sigHex' in vector ? hex(vector.sigHex ?? '') : utf8(vector.sigUtf8 ?? '')
    expect(verifySignature(actorVectors.nunet_did.did, utf8('payload'), signature)).toBe(false)
  })

  test.each(vectors.ethPersonalSign.cases)('$name: $message', (vector) => {
    const key = expectOk(parsePublicKey('eth', hex(vector.pubUncompressedHex)))
    expect(encodeHex(key.bytes)).toBe(vector.pubCompressedHex)
    expect(encodeHex(personalMessageHash(utf8(vector.message)))).toBe(vector.keccakPersonalHashHex)
    const numbers = { r: BigInt(`0x${vector.rHex}`), s: BigInt(`0x${vector.sHex}`) }
    expect(encodeHex(encodeDerSignature(numbers))).toBe(vector.derHex)
    expect(verifyWithKey(key, utf8(`${vector.message}!`), hex(vector.derHex))).toBe(false)
    expect(verifyWithKey(key, utf8(vector.message), hex(vector.derHex))).toBe(vector.ok)
    expect(verifySignature(didOf(key), utf8(vector.message), hex(vector.derHex))).toBe(vector.ok)
  })
})

describe('ledgerCli', () => {
  test('reads the key in upper case and writes the signature as DER', () => {
    const { key } = jsonObject(vectors.ledgerCli.keyCall.fileWritten)
    expect(didOf(expectOk(parsePublicKey('eth', hex(jsonText(key)))))).toBe(vectors.ledgerCli.keyCall.didComputed)
    const { r, s } = jsonObject(jsonObject(vectors.ledgerCli.signCall.fileWritten)['ecdsa'])
    const signature = encodeDerSignature({ r: BigInt(`0x${jsonText(r)}`), s: BigInt(`0x${jsonText(s)}`) })
    expect(encodeHex(signature)).toBe(vectors.ledgerCli.signCall.signatureDerHexComputed)
  })
})

describe('eternlCose', () => {
  const { coseKeyHex, coseSign1Hex, payloadUtf8, rawPublicKeyHex, valid } = vectors.eternlCose

  test('verifies the signature of a real wallet, for the signed data only', () => {
    const key = expectOk(parsePublicKey('cardano', hex(coseKeyHex)))
    expect(encodeHex(key.bytes)).toBe(rawPublicKeyHex)
    expect(verifyWithKey(key, utf8('get_pubkeY'), hex(coseSign1Hex))).toBe(false)
    expect(verifyWithKey(key, utf8(payloadUtf8), hex(coseSign1Hex))).toBe(valid)
    expect(verifySignature(didOf(key), utf8(payloadUtf8), hex(coseSign1Hex))).toBe(valid)
  })
})

describe('keystore', () => {
  let directory = ''
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'identity-vectors-'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  test.each(vectors.keystore.rejects.cases)('refuses: $name', async ({ file, passphrase, error }) => {
    await expect(decryptKeyFile(file, createSecret(passphrase))).rejects.toThrow(error)
  })

  test.each(vectors.keystore.opens)('opens: $note', async ({ file, passphrase, dataHex }) => {
    await writeFile(join(directory, 'user.json'), file)
    const key = await createKeystore({ directory }).open('user', createSecret(passphrase))
    expect(encodeHex(key.exportPrivate())).toBe(dataHex)
  })

  test.each(vectors.keystore.opens)('writes the same bytes: $note', async ({ file, passphrase, dataHex }) => {
    const { n, r, p } = jsonObject(jsonObject(jsonObject(file)['crypto'])['kdfparams'])
    const content = { id: 'user', privateKey: hex(dataHex) }
    const random = createFixedRandom(['a1'.repeat(64), 'b2'.repeat(16)])
    const written = await encryptKeyFile(content, createSecret(passphrase), {
      cost: { n: Number(n), r: Number(r), p: Number(p) },
      random
    })
    expect(written).toBe(file)
  })
})
