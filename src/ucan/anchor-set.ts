import { err, type Millis, ok, type Result, toNanos } from '../base/index.ts'
import type { Did } from '../identity/index.ts'
import { implyAll } from './capability.ts'
import {
  deny,
  isExpired,
  isRevoked,
  quote,
  type Revocations,
  revocationKey,
  type SignatureVerifier,
  verifyToken
} from './chain.ts'
import { encodeToken } from './token.ts'
import type { Anchor, Anchors, Denial, Token } from './types.ts'

/** The anchors of one context in memory (A §8.1). */
export interface AnchorSet {
  readonly revocations: Revocations
  /** Grows with every change: what was found out with another revision may not hold any more. */
  readonly revision: number
  /** The anchors; with `now`, only those that are not expired then. */
  list(now?: Millis): Anchors
  isRoot(did: string): boolean
  /** The anchors by which others are judged, expired ones too: at hardly any cost. */
  trusted(): Pick<Anchors, 'roots' | 'require'>
  /** Verifies an anchor and adds it; a token that makes others superfluous replaces them. */
  add(anchor: Anchor, now: Millis, verifier: SignatureVerifier): Result<'added' | 'present', Denial>
  /** Whether anything matched: roots by DID, tokens by issuer and nonce, revocations by what they revoke. */
  remove(anchor: Anchor): boolean
  /** Puts others in place of all anchors; they must have been verified, revocations among them are applied. */
  replace(anchors: Anchors): void
  /** Verifies a revocation and applies it without making it an anchor: somebody else keeps it. */
  learn(revocation: Token, now: Millis, verifier: SignatureVerifier): Result<'added' | 'present', Denial>
  /** Ends what {@link AnchorSet.learn} began; anchored revocations stay. */
  forget(revocation: Token): void
}

/** Creates a set from anchors that were verified before. */
export function createAnchorSet(initial: Anchors): AnchorSet {
  const roots = new Set<Did>()
  const tokens: { require: readonly Token[]; provide: readonly Token[] } = { require: [], provide: [] }
  const revoke = new Map<string, Token>()
  const learned = new Map<string, Token>()
  let revision = 0
  const revocations: Revocations = {
    has: (key) => revoke.has(key) || learned.has(key),
    get isEmpty() {
      return revoke.size + learned.size === 0
    }
  }

  function replace(anchors: Anchors): void {
    revision += 1
    roots.clear()
    revoke.clear()
    for (const did of anchors.roots) roots.add(did)
    for (const token of anchors.revoke) revoke.set(revocationKey(token), token)
    tokens.require = anchors.require
    tokens.provide = anchors.provide
    dropRevoked()
  }

  function dropRevoked(): void {
    tokens.require = tokens.require.filter((token) => !isRevoked(token, revocations))
    tokens.provide = tokens.provide.filter((token) => !isRevoked(token, revocations))
  }

  function addToken(kind: 'require' | 'provide', token: Token): 'added' | 'present' {
    if (tokens[kind].some((stored) => subsumes(stored, token))) return 'present'
    tokens[kind] = [...tokens[kind].filter((stored) => !subsumes(token, stored)), token]
    return 'added'
  }

  function addRevocation(list: Map<string, Token>, token: Token): 'added' | 'present' {
    const stored = list.get(revocationKey(token))
    if (stored !== undefined && stored.expiresAt >= token.expiresAt) return 'present'
    list.set(revocationKey(token), token)
    dropRevoked()
    return 'added'
  }

  replace(initial)
  return {
    revocations,
    get revision() {
      return revision
    },
    list(now) {
      const current = (list: Iterable<Token>): readonly Token[] =>
        [...list].filter((token) => now === undefined || !isExpired(token, now))
      const { require, provide } = tokens
      return { roots: [...roots], require: current(require), provide: current(provide), revoke: current(revoke.values()) }
    },
    isRoot: (did) => (roots as ReadonlySet<string>).has(did),
    trusted: () => ({ roots: [...roots], require: tokens.require }),
    add(anchor, now, verifier) {
      revision += 1
      if (anchor.kind === 'root') {
        if (roots.has(anchor.did)) return ok('present')
        roots.add(anchor.did)
        return ok('added')
      }
      const usable = verifyAnchor(anchor, now, verifier, revocations)
      if (!usable.ok) return usable
      return ok(anchor.kind === 'revoke' ? addRevocation(revoke, anchor.token) : addToken(anchor.kind, anchor.token))
    },
    remove(anchor) {
      revision += 1
      if (anchor.kind === 'root') return roots.delete(anchor.did)
      if (anchor.kind === 'revoke') return revoke.delete(revocationKey(anchor.token))
      const before = tokens[anchor.kind]
      tokens[anchor.kind] = before.filter((stored) => !isSameIssue(stored, anchor.token))
      return tokens[anchor.kind].length < before.length
    },
    replace,
    learn(token, now, verifier) {
      revision += 1
      const usable = verifyAnchor({ kind: 'revoke', token }, now, verifier, revocations)
      return usable.ok ? ok(addRevocation(learned, token)) : usable
    },
    forget(token) {
      revision += 1
      learned.delete(revocationKey(token))
    }
  }
}

/**
 * Whether a token can be this kind of anchor now: it verifies, and its action fits.
 *
 * The reference checks the action of revocations only; but no other token than a delegation does anything as a require or
 * provide anchor.
 */
export function verifyAnchor(
  anchor: Exclude<Anchor, { kind: 'root' }>,
  now: Millis,
  verifier: SignatureVerifier,
  revocations: Revocations
): Result<void, Denial> {
  const { kind, token } = anchor
  const wanted = kind === 'revoke' ? 'revoke' : 'delegate'
  if (token.action !== wanted) {
    return deny('wrong-action', `a ${kind} anchor must be a token for ${wanted}, this one is for ${quote(token.action)}`, token)
  }
  const verified = verifyToken(token, toNanos(now), { verifier, revocations })
  return verified.ok ? verified : err({ ...verified.error, message: `verify token: ${verified.error.message}` })
}

/**
 * Whether `a` allows everything that `b` allows, so that `b` is superfluous beside it.
 *
 * Compares topics, action, depth and chain too, which the reference ignores (A §7.5 *subsumes*, W9).
 */
export function subsumes(a: Token, b: Token): boolean {
  return (
    a.action === b.action &&
    a.issuer === b.issuer &&
    a.subject === b.subject &&
    a.audience === b.audience &&
    a.expiresAt >= b.expiresAt &&
    (a.depth === 0n || (b.depth !== 0n && a.depth >= b.depth)) &&
    implyAll(a.capabilities, b.capabilities) &&
    implyAll(a.topics, b.topics) &&
    encodeChain(a) === encodeChain(b)
  )
}

function encodeChain(token: Token): string {
  return token.chain === undefined ? '' : encodeToken(token.chain)
}

/** Whether two tokens are one and the same for a user: issuer and nonce. */
export function isSameIssue(a: Token, b: Token): boolean {
  return a.issuer === b.issuer && Buffer.compare(a.nonce ?? NO_NONCE, b.nonce ?? NO_NONCE) === 0
}

const NO_NONCE = new Uint8Array()
