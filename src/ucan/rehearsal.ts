import { encodeBase64 } from '../base/index.ts'
import type { Did, Signer } from '../identity/index.ts'
import type { SignatureVerifier } from './chain.ts'

/** Signs without a key, for tokens that are judged here and then forgotten. */
export interface Rehearsal {
  /** Gives placeholders that only {@link Rehearsal.verifier} takes for signatures. */
  readonly signer: Signer
  /** Takes the placeholders of this rehearsal for good, for the messages they were given for; all else it verifies. */
  readonly verifier: SignatureVerifier
}

/**
 * Lets the real code make and judge the tokens of a DID whose key is not at hand: explaining a call must not need a
 * passphrase, and must not be a second copy of the rules.
 *
 * The placeholders are worth nothing anywhere else: they are all zero.
 */
export function createRehearsal(did: Did, verifier: SignatureVerifier): Rehearsal {
  const rehearsed = new Set<string>()
  return {
    signer: {
      did,
      sign: async (message) => {
        rehearsed.add(encodeBase64(message))
        return new Uint8Array(PLACEHOLDER_LENGTH)
      }
    },
    verifier: {
      verify: (issuer, message, signature) =>
        (issuer === did && isPlaceholder(signature) && rehearsed.has(encodeBase64(message))) ||
        verifier.verify(issuer, message, signature)
    }
  }
}

/** That of an Ed25519 signature, so that tokens have the size they will have. */
const PLACEHOLDER_LENGTH = 64

function isPlaceholder(signature: Uint8Array): boolean {
  return signature.length === PLACEHOLDER_LENGTH && signature.every((byte) => byte === 0)
}
