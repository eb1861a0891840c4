import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

/** SubjectPublicKeyInfo of an Ed25519 key, up to the 32 bytes of the key. */
const PUBLIC_HEADER = Buffer.from('302a300506032b6570032100', 'hex')
/** PKCS #8 of an Ed25519 key, up to the 32 bytes of the seed. */
const PRIVATE_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Bytes of a public key, and of a private seed. */
export const ED25519_KEY_LENGTH = 32

/** Makes the checker of Ed25519 signatures by the strict rules of RFC 8032 (A §4). `point` has 32 bytes. */
export function ed25519Check(point: Uint8Array): (message: Uint8Array, signature: Uint8Array) => boolean {
  // As JWK, because Node 20 needs eight times as long to read the same key from DER.
  const x = Buffer.from(point).toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return (message, signature) => verify(null, message, key, signature)
}

/** A private key that signs. */
export interface Ed25519Key {
  readonly publicBytes: Uint8Array
  /** The 64-byte signature. */
  sign(message: Uint8Array): Uint8Array
}

/** The key that a seed of 32 bytes stands for. */
export function ed25519Key(seed: Uint8Array): Ed25519Key {
  const der = Buffer.concat([PRIVATE_HEADER, seed])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  return { publicBytes: publicBytes(key), sign: (message) => new Uint8Array(sign(null, message, key)) }
}

function publicBytes(key: KeyObject): Uint8Array {
  return Uint8Array.from(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(PUBLIC_HEADER.length))
}
