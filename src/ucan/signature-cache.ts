import { createHash } from 'node:crypto'
import { ok, type Result } from '../base/index.ts'
import { deny, type SignatureVerifier, verifySignatureOf } from './chain.ts'
import { encodeToken } from './token.ts'
import type { Denial, Token } from './types.ts'

/** Chains that are remembered, those used last; about 150 bytes each. */
const DEFAULT_CAPACITY = 1024

/** How many more signatures may be checked for one request; counts down. */
export interface SignatureBudget {
  left: number
}

/** Checks the signatures of whole chains and remembers the chains that were good. */
export interface SignatureCache {
  /**
   * Checks the signature of the token and those of its chain, the token's own first (W4).
   *
   * A chain that was good once costs a hash; so a fresh token on a known chain costs one signature. Expiry, revocations
   * and every other condition are for `verifyStructure`.
   */
  verify(token: Token, budget: SignatureBudget): Result<void, Denial>
}

/** Creates a cache of at most `capacity` chains. */
export function createSignatureCache(options: {
  readonly verifier: SignatureVerifier
  readonly capacity?: number
}): SignatureCache {
  const { verifier, capacity = DEFAULT_CAPACITY } = options
  const known = new Set<string>()

  function remember(hash: string): void {
    known.delete(hash) // and to the end of the set: it is the one used last
    known.add(hash)
    for (const oldest of known) {
      if (known.size <= capacity) break
      known.delete(oldest)
    }
  }

  function verifyOne(token: Token, budget: SignatureBudget): Result<void, Denial> {
    if (budget.left <= 0) return deny('bad-token', 'bad token: the request has too many signatures to check', token)
    budget.left -= 1
    return verifySignatureOf(token, verifier)
  }

  return {
    verify(token, budget) {
      const own = verifyOne(token, budget)
      if (!own.ok) return own
      const good: string[] = []
      for (let link = token.chain; link !== undefined; link = link.chain) {
        // The hash covers every signature below it, so a known hash vouches for the rest of the chain.
        const hash = createHash('sha256').update(encodeToken(link)).digest('base64')
        good.push(hash)
        if (known.has(hash)) break
        const verified = verifyOne(link, budget)
        if (!verified.ok) return verified
      }
      for (const hash of good) remember(hash)
      return ok(undefined)
    }
  }
}
