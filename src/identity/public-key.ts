import { type Issue, ok, type Result, unreachable } from '../base/index.ts'
import { ed25519OfCoseKey } from './cose.ts'
import { ED25519_KEY_LENGTH } from './ed25519.ts'
import { refuse } from './refuse.ts'
import { compressPoint } from './secp256k1.ts'
import type { KeyType, PublicKey } from './types.ts'

/**
 * Reads the raw bytes of a public key (A §3.2, §5): 32 bytes for `ed25519`, a compressed or uncompressed point for `secp256k1`
 * and `eth`, 32 bytes or a COSE_Key for `cardano`.
 *
 * The result holds a copy in the one form that {@link PublicKey} promises. Refuses wrong lengths and points that are not on the
 * curve.
 */
export function parsePublicKey(type: KeyType, data: Uint8Array): Result<PublicKey, Issue> {
  const raw = readKeyBytes(type, data)
  return raw.ok ? ok({ type, bytes: raw.value }) : raw
}

function readKeyBytes(type: KeyType, data: Uint8Array): Result<Uint8Array, Issue> {
  switch (type) {
    case 'ed25519':
      return data.length === ED25519_KEY_LENGTH ? ok(Uint8Array.from(data)) : wrongLength(type, data)
    case 'cardano': {
      const raw = data.length === ED25519_KEY_LENGTH ? Uint8Array.from(data) : ed25519OfCoseKey(data)
      return raw === undefined ? wrongLength(type, data) : ok(raw)
    }
    case 'secp256k1':
    case 'eth':
      return compressPoint(data)
    default:
      return unreachable(type)
  }
}

function wrongLength(type: KeyType, data: Uint8Array): Result<never, Issue> {
  return refuse(`a public key of type ${type} has ${ED25519_KEY_LENGTH} bytes, got ${data.length}`)
}
