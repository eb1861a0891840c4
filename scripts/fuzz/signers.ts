import { createHash } from 'node:crypto'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { CBOR, encodeHead, encodeString } from '../../src/identity/cbor.ts'
import { encodeDerSignature } from '../../src/identity/der.ts'
import { personalMessageHash } from '../../src/identity/eth.ts'
import { didOf, type KeyType, keyPairFromSeed, type Signer } from '../../src/identity/index.ts'
import type { Chance } from './chance.ts'

/** A key of each type that signs the same way in every run: the ECDSA ones by RFC 6979, unlike OpenSSL's. */
export function createSigner(type: KeyType, chance: Chance): Signer {
  const seed = chance.bytes(32)
  switch (type) {
    case 'ed25519':
      return keyPairFromSeed(seed)
    case 'cardano':
      return cardanoSigner(seed)
    case 'secp256k1':
      return ecdsaSigner(type, seed, (message) => Uint8Array.from(createHash('sha256').update(message).digest()))
    case 'eth':
      return ecdsaSigner(type, seed, personalMessageHash)
  }
}

function ecdsaSigner(type: 'secp256k1' | 'eth', secret: Uint8Array, hash: (message: Uint8Array) => Uint8Array): Signer {
  return {
    did: didOf({ type, bytes: Uint8Array.from(secp256k1.getPublicKey(secret, true)) }),
    async sign(message) {
      const compact = secp256k1.sign(hash(message), secret, { prehash: false })
      const number = (from: number): bigint => BigInt(`0x${Buffer.from(compact.subarray(from, from + 32)).toString('hex')}`)
      return encodeDerSignature({ r: number(0), s: number(32) })
    }
  }
}

/** A COSE_Sign1 as a Cardano wallet makes it: `protected` names EdDSA, `hashed` is false. */
function cardanoSigner(seed: Uint8Array): Signer {
  const key = keyPairFromSeed(seed)
  const protectedBytes = Uint8Array.of(0xa1, 0x01, 0x27)
  const unprotected = Uint8Array.from([0xa1, ...encodeString('hashed'), 0xf4])
  return {
    did: didOf({ type: 'cardano', bytes: key.publicKey.bytes }),
    async sign(message) {
      const items = ['Signature1', protectedBytes, new Uint8Array(), message].map(encodeString)
      const signature = await key.sign(Buffer.concat([encodeHead(CBOR.array, items.length), ...items]))
      const parts = [encodeString(protectedBytes), unprotected, encodeString(message), encodeString(signature)]
      return Uint8Array.from(Buffer.concat([encodeHead(CBOR.array, 4), ...parts]))
    }
  }
}
