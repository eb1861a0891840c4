import { unreachable } from '../base/index.ts'
import { publicKeyOfActorId } from './actor-id.ts'
import { cardanoCheck } from './cose.ts'
import { publicKeyOf } from './did-key.ts'
import { ed25519Check } from './ed25519.ts'
import { ethCheck } from './eth.ts'
import { parsePublicKey } from './public-key.ts'
import { secp256k1Check } from './secp256k1.ts'
import type { ActorId, PublicKey } from './types.ts'

/** Keys that a {@link Verifier} remembers unless told otherwise: about 1 kB each. */
const DEFAULT_CAPACITY = 1024

/** Checks signatures and remembers the keys it met last, because reading a key costs as much as using it. */
export interface Verifier {
  /** Like {@link verifySignature}. */
  verify(did: string, message: Uint8Array, signature: Uint8Array): boolean
  /** Like {@link verifySignature} for the key of an actor. */
  verifyByActorId(id: ActorId, message: Uint8Array, signature: Uint8Array): boolean
}

type Check = (message: Uint8Array, signature: Uint8Array) => boolean

/**
 * Whether `signature` over `message` was made with the key of `did` (A §4, §5).
 *
 * Ed25519: RFC 8032, strict. secp256k1: ECDSA over SHA-256. eth: ECDSA over the personal-message hash. cardano: COSE_Sign1.
 * ECDSA signatures are strict DER with low or high S. False, never an exception, for whatever is not a valid signature or DID;
 * DIDs of other methods than `key` have no key here and are false too.
 */
export function verifySignature(did: string, message: Uint8Array, signature: Uint8Array): boolean {
  const key = publicKeyOf(did)
  return key.ok && checkOf(key.value)(message, signature)
}

/** Like {@link verifySignature} for a key; false also for a key of the wrong length or off the curve. */
export function verifyWithKey(publicKey: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  const key = parsePublicKey(publicKey.type, publicKey.bytes)
  return key.ok && checkOf(key.value)(message, signature)
}

/** Creates a {@link Verifier} that remembers at most `capacity` keys, those used last. */
export function createVerifier({ capacity = DEFAULT_CAPACITY }: { readonly capacity?: number } = {}): Verifier {
  const checks = new Map<string, Check>()

  function remembered(name: string, make: () => Check | undefined): Check | undefined {
    const check = checks.get(name) ?? make()
    if (check === undefined) return undefined
    checks.delete(name) // and to the end of the map: it is the one used last
    checks.set(name, check)
    for (const oldest of checks.keys()) {
      if (checks.size <= capacity) break
      checks.delete(oldest)
    }
    return check
  }

  return {
    verify(did, message, signature) {
      const check = remembered(did, () => {
        const key = publicKeyOf(did)
        return key.ok ? checkOf(key.value) : undefined
      })
      return check?.(message, signature) ?? false
    },
    verifyByActorId(id, message, signature) {
      const check = remembered(Buffer.from(id).toString('base64'), () => {
        const key = publicKeyOfActorId(id)
        return key.ok ? checkOf(key.value) : undefined
      })
      return check?.(message, signature) ?? false
    }
  }
}

function checkOf({ type, bytes }: PublicKey): Check {
  switch (type) {
    case 'ed25519':
      return ed25519Check(bytes)
    case 'secp256k1':
      return secp256k1Check(bytes)
    case 'eth':
      return ethCheck(bytes)
    case 'cardano':
      return cardanoCheck(bytes)
    default:
      return unreachable(type)
  }
}
