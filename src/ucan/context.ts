import { ok, type Random, systemRandom } from '../base/index.ts'
import { createVerifier, type Signer } from '../identity/index.ts'
import { type AnchorSet, createAnchorSet } from './anchor-set.ts'
import { createApprovals } from './approvals.ts'
import { authorizeClaim } from './authorize.ts'
import { isExpired, isRevoked, type Revocations, type SignatureVerifier, verifyStructure } from './chain.ts'
import { createMint, draftOf } from './mint.ts'
import { createPresenter } from './present.ts'
import { createSignatureCache } from './signature-cache.ts'
import { MAX_LINKS } from './token.ts'
import type { Anchors, CapabilityContext, Token } from './types.ts'

/** Options of {@link createContext}. */
export interface ContextOptions {
  /** The key of the context; its DID is the context's. */
  readonly signer: Signer
  /** Anchors that were verified before; default none. */
  readonly anchors?: Anchors
  /** For nonces; default the operating system's. */
  readonly random?: Random
  /** Default a new verifier of identity; share one to remember keys together. */
  readonly verifier?: SignatureVerifier
}

/** A context without any anchor. */
export const NO_ANCHORS: Anchors = { roots: [], require: [], provide: [], revoke: [] }

/**
 * Creates a context in memory (A §8).
 *
 * Verification holds no lock and stores no tokens (W4, W8, W15); it only remembers, in a bounded cache, which chains had
 * good signatures.
 */
export function createContext(options: ContextOptions): CapabilityContext {
  const { signer, random = systemRandom, verifier = createVerifier(), anchors = NO_ANCHORS } = options
  return createContextOver(createAnchorSet(anchors), new Set(), { signer, random, verifier })
}

/** A context whose anchors and temporary grants somebody else holds too: the file that saves them. */
export function createContextOver(
  anchors: AnchorSet,
  grantsHere: Set<Token>,
  options: { readonly signer: Signer; readonly random: Random; readonly verifier: SignatureVerifier }
): CapabilityContext {
  const { signer, random, verifier } = options
  const own = signer.did
  const mint = createMint({ signer, random })
  const signatures = createSignatureCache({ verifier })
  const approvals = createApprovals()
  const presenter = createPresenter({
    own,
    mint,
    provide: () => anchors.list().provide,
    verify(token, now) {
      const structure = verifyStructure(token, now, anchors.revocations)
      return structure.ok ? signatures.verify(token, { left: MAX_LINKS }) : structure
    }
  })

  return {
    did: own,
    list: (now) => anchors.list(now),
    isRoot: (did) => anchors.isRoot(did),
    anchor(anchor, now) {
      for (const grant of grantsHere) if (isExpired(grant, now)) grantsHere.delete(grant)
      const added = anchors.add(anchor, now, verifier)
      endRevokedGrants(grantsHere, anchors.revocations)
      return added
    },
    learn(revocation, now) {
      const learned = anchors.learn(revocation, now, verifier)
      endRevokedGrants(grantsHere, anchors.revocations)
      return learned
    },
    forget: (revocation) => anchors.forget(revocation),
    isRevoked: (token) => isRevoked(token, anchors.revocations),
    remove: (anchor) => anchors.remove(anchor),
    grant: async (request, abort) => mint.sign(mint.draft(draftOf(request)), abort),
    revoke: (token, abort) => mint.revoke(token, abort),
    delegate: (request, now, abort) => presenter.delegate(request, now, abort),
    async grantHere(request) {
      // Unsigned: it never leaves this memory, and a hardware key need not be asked.
      const grant: Token = { ...mint.draft({ ...draftOf(request), depth: 1n, topics: [] }), signature: new Uint8Array() }
      grantsHere.add(grant)
      return () => void grantsHere.delete(grant)
    },
    present: (request, abort) => presenter.present(request, abort),
    presentBroadcast: (request, abort) => presenter.presentBroadcast(request, abort),
    authorize(claim, now) {
      const approved = approvals.find(claim, anchors.revision, now)
      if (approved !== undefined) return ok(approved)
      const { roots, require } = anchors.trusted()
      const outcome = authorizeClaim(
        claim,
        now,
        { own, roots, require: grantsHere.size === 0 ? require : [...require, ...grantsHere], revocations: anchors.revocations },
        signatures
      )
      // What a temporary grant allowed ends without a change of the anchors.
      if (outcome.ok && grantsHere.size === 0) approvals.keep(claim, anchors.revision, outcome.value)
      return outcome
    }
  }
}

/** Takes away the temporary grants that are revoked. */
export function endRevokedGrants(grantsHere: Set<Token>, revocations: Revocations): void {
  for (const grant of grantsHere) if (isRevoked(grant, revocations)) grantsHere.delete(grant)
}
