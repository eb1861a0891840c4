import { bytesEqual, decodeBase58, encodeBase58, encodeHex, type Issue, ok, type Result } from '../base/index.ts'
import { parsePublicKey } from './public-key.ts'
import { excerpt, refuse } from './refuse.ts'
import type { Did, KeyType, PublicKey } from './types.ts'

/** `z` is the multibase prefix of base58. */
const DID_KEY = 'did:key:z'

/** Base58 digits of the longest key that we write (36 bytes) are 49; an uncompressed point would need 93. */
const MAX_BASE58_LENGTH = 96

/** Multicodec numbers as minimal varints; the last two are NuNet's own (A §3.2). */
const CODECS: Readonly<Record<KeyType, Uint8Array>> = {
  ed25519: Uint8Array.of(0xed, 0x01),
  secp256k1: Uint8Array.of(0xe7, 0x01),
  eth: Uint8Array.of(0x81, 0xde, 0x03),
  cardano: Uint8Array.of(0x82, 0xde, 0x03)
}
const KEY_TYPES: readonly KeyType[] = ['ed25519', 'secp256k1', 'eth', 'cardano']

/** The `did:key` of a public key (A §3.2); points are written compressed. */
export function didOf({ type, bytes }: PublicKey): Did {
  return (DID_KEY + encodeBase58(Uint8Array.from([...CODECS[type], ...bytes]))) as Did
}

/**
 * The public key that a `did:key` names, of all four kinds (A §3.2).
 *
 * Each key has exactly one DID here: stricter than the reference (A, W20), an uncompressed point, a COSE_Key or a varint that is
 * not minimal is refused, as are other DID methods, unknown key types, wrong lengths and points that are not on the curve.
 */
export function publicKeyOf(did: string): Result<PublicKey, Issue> {
  if (!did.startsWith(DID_KEY)) return refuse(`no anchor method: ${excerpt(did)} is not a base58 did:key (did:key:z…)`)
  const digits = did.slice(DID_KEY.length)
  if (digits.length > MAX_BASE58_LENGTH) return refuse(`invalid DID: ${digits.length} digits are too many for a key`)
  const decoded = decodeBase58(digits)
  if (!decoded.ok) return refuse(`invalid DID: ${decoded.error}`)
  const data = decoded.value
  const type = KEY_TYPES.find((candidate) => startsWith(data, CODECS[candidate]))
  if (type === undefined) return refuse(`invalid key type: no key begins with the bytes ${encodeHex(data.subarray(0, 3))}`)
  return canonicalKey(type, data.subarray(CODECS[type].length))
}

function startsWith(data: Uint8Array, prefix: Uint8Array): boolean {
  return bytesEqual(data.subarray(0, prefix.length), prefix)
}

function canonicalKey(type: KeyType, raw: Uint8Array): Result<PublicKey, Issue> {
  const key = parsePublicKey(type, raw)
  if (!key.ok) return refuse(`invalid DID: ${key.error.message}`)
  if (!bytesEqual(key.value.bytes, raw)) return refuse(`invalid DID: the ${type} key is not in its shortest form`)
  return ok(key.value)
}
