import { createHash } from 'node:crypto'
import { type ActorId, createVerifier, type KeyPair, type Verifier } from '../../identity/index.ts'

/** Checks the signatures of a whole world: its nodes live in one process, so what one of them has found holds for all. */
export interface WorldVerifier extends Verifier {
  /** The same key, of which every signature is known to be good once it is made. */
  witness(key: KeyPair): KeyPair
}

/** Good signatures that are remembered; when there are so many, all are forgotten. */
const CAPACITY = 200_000

/** Keys that are remembered. */
const KEYS = 16_384

/** Every so many times a known signature is checked all the same. */
const SAMPLE = 64

/**
 * Creates the verifier of a world.
 *
 * It answers exactly as the real one: a signature counts as known only with the same key over the same message. What is not known,
 * every altered message above all, is checked for real, and so is a sample of the rest.
 *
 * @param onMistake - Called when a signature that is known as good is not.
 */
export function createWorldVerifier(onMistake: () => void): WorldVerifier {
  const real = createVerifier({ capacity: KEYS })
  const good = new Set<string>()
  let hits = 0

  function remember(name: string): void {
    if (good.size >= CAPACITY) good.clear()
    good.add(name)
  }

  function check(did: string, message: Uint8Array, signature: Uint8Array, verify: () => boolean): boolean {
    const name = nameOf(did, message, signature)
    if (good.has(name)) {
      hits += 1
      if (hits % SAMPLE !== 0) return true
      const isGood = verify()
      if (!isGood) onMistake()
      return isGood
    }
    const isGood = verify()
    if (isGood) remember(name)
    return isGood
  }

  return {
    verify: (did, message, signature) => check(did, message, signature, () => real.verify(did, message, signature)),
    verifyByActorId(id: ActorId, message, signature) {
      return check(actorName(id), message, signature, () => real.verifyByActorId(id, message, signature))
    },
    witness: (key) => ({
      ...key,
      async sign(message, options) {
        const signature = await key.sign(message, options)
        // Tokens are signed in the name of a DID, envelopes in the name of an actor; what is signed twice is cheap.
        remember(nameOf(key.did, message, signature))
        remember(nameOf(actorName(key.actorId), message, signature))
        return signature
      }
    })
  }
}

function actorName(id: ActorId): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1')
}

function nameOf(did: string, message: Uint8Array, signature: Uint8Array): string {
  return `${did} ${createHash('sha256').update(message).update(signature).digest('base64')} ${message.length}`
}
