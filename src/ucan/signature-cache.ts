import { createHash } from 'node:crypto'
import { ok, type Result } from '../base/index.ts'
import { deny, type SignatureVerifier, verifySignatureOf } from './chain.ts'
import { encodeToken } from './token.ts'
import type { Denial, Token } from './types.ts'

/** Chains that are remembered, and as many tokens on top of them, those used last; about 150 bytes each. */
const DEFAULT_CAPACITY = 1024

/** What checking a signature of the slow kinds (eth, cardano) costs in units of Ed25519 and secp256k1. */
const SLOW_COST = 4

/** How every DID of an Ed25519 or a secp256k1 key begins (did:key §3.1); only those can be checked fast. */
const FAST_KEYS: readonly string[] = ['did:key:z6Mk', 'did:key:zQ3s']

/** How many more signatures may be checked for one request, slow ones counted as four; counts down. */
export interface SignatureBudget {
  left: number
}

/** Checks the signatures of whole chains and remembers the chains that were good. */
export interface SignatureCache {
  /**
   * Checks the signature of the token and those of its chain (W4).
   *
   * A token or chain that was good once costs a hash, so a fresh token on a known chain costs one signature, and one that is
   * presented again costs none; the very same object costs not even the hash. Expiry, revocations and every other condition
   * change with time, and are for `verifyStructure`.
   *
   * @param isAnchor - Whether a DID is trusted; the signatures start at its link nearest the root, so that who only claims an
   * anchor is found out by the first of them. Default: they start at the root.
   */
  verify(token: Token, budget: SignatureBudget, isAnchor?: (did: string) => boolean): Result<void, Denial>
}

/** Creates a cache of at most `capacity` chains. */
export function createSignatureCache(options: {
  readonly verifier: SignatureVerifier
  readonly capacity?: number
}): SignatureCache {
  const { verifier, capacity = DEFAULT_CAPACITY } = options
  const known = new Set<string>()
  // Apart from the chains, because every message of a peer that signs a token for each would push out one of them.
  const leaves = new Set<string>()
  // Tokens are never changed, so what was good of this object is good.
  const seen = new WeakSet<Token>()

  function remember(set: Set<string>, hash: string): void {
    set.delete(hash) // and to the end of the set: it is the one used last
    set.add(hash)
    for (const oldest of set) {
      if (set.size <= capacity) break
      set.delete(oldest)
    }
  }

  function verifyOne(token: Token, budget: SignatureBudget): Result<void, Denial> {
    const cost = FAST_KEYS.some((prefix) => token.issuer.startsWith(prefix)) ? 1 : SLOW_COST
    if (budget.left < cost) return deny('bad-token', 'bad token: the request has too many signatures to check', token)
    budget.left -= cost
    return verifySignatureOf(token, verifier)
  }

  return {
    verify(token, budget, isAnchor = () => false) {
      if (seen.has(token)) return ok(undefined)
      const leaf = hashOf(token)
      const unknown = leaves.has(leaf) ? [] : [token]
      const hashes: string[] = []
      for (let link = token.chain; link !== undefined && unknown.length > 0; link = link.chain) {
        // The hash covers every signature below it, so a known hash vouches for the rest of the chain.
        const hash = hashOf(link)
        hashes.push(hash)
        if (known.has(hash)) break
        unknown.push(link)
      }
      for (const link of fromAnchor(unknown, isAnchor)) {
        const verified = verifyOne(link, budget)
        if (!verified.ok) return verified
      }
      for (const hash of hashes) remember(known, hash)
      remember(leaves, leaf)
      seen.add(token)
      return ok(undefined)
    }
  }
}

function hashOf(token: Token): string {
  return createHash('sha256').update(encodeToken(token)).digest('base64')
}

/** Links from the anchor nearest the root, else from the root, up to the token; then those that the anchor stands on. */
function fromAnchor(links: readonly Token[], isAnchor: (did: string) => boolean): readonly Token[] {
  const anchor = links.findLastIndex(({ issuer }) => isAnchor(issuer))
  const start = anchor === -1 ? links.length : anchor + 1
  return [...links.slice(0, start).toReversed(), ...links.slice(start)]
}
