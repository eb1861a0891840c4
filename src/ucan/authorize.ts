import { err, type Millis, ok, type Result, toNanos } from '../base/index.ts'
import { type Did, parseDid } from '../identity/index.ts'
import { someImplies } from './capability.ts'
import {
  allowsAction,
  allowsBroadcast,
  allowsInvocation,
  denialOf,
  deny,
  isAnchored,
  isAudience,
  isTrustedThrough,
  quote,
  type Revocations,
  verifyStructure
} from './chain.ts'
import type { SignatureBudget, SignatureCache } from './signature-cache.ts'
import type { Authorization, Claim, Denial, Token } from './types.ts'

/** Tokens of one claim whose signatures are looked at; all others were refused for less. */
const MAX_CHECKED_TOKENS = 16

/** Signatures that are checked for one claim (a longest chain), so that forged chains cost their sender more than us. */
const MAX_CHECKED_SIGNATURES = 16

/** What a context trusts. Expired require anchors do no harm: a token must end before the anchor that allows it. */
export interface Trust {
  readonly own: Did
  readonly roots: readonly Did[]
  /** Require anchors, those in memory included. */
  readonly require: readonly Token[]
  readonly revocations: Revocations
}

/**
 * Whether a claim is allowed (A §8.2 *consume* and *require*, in one step and without a store).
 *
 * A token allows it when it is made for this caller, this place and one of the capabilities, when its chain holds, and
 * when the chain has a link issued by the own DID or a root, or is allowed by an unexpired require anchor. Everything that
 * needs no signature is checked before those of a token are.
 *
 * @returns The authorization of the first token that allows it; else the reason of the token that came nearest.
 */
export function authorizeClaim(
  claim: Claim,
  now: Millis,
  trust: Trust,
  signatures: SignatureCache
): Result<Authorization, Denial> {
  if (claim.capabilities.length === 0) return deny('no-capabilities', 'no capabilities: not authorized: nothing was asked for')
  if (claim.tokens.length === 0) return deny('no-tokens', 'not authorized: the request has no tokens')
  const budget: SignatureBudget = { left: MAX_CHECKED_SIGNATURES }
  const isAnchor = (did: string): boolean =>
    did === trust.own || trust.roots.some((root) => root === did) || trust.require.some(({ subject }) => subject === did)
  const refused: Refusal[] = []
  let checked = 0
  for (const token of claim.tokens) {
    const assessment = assess(token, claim, now, trust)
    if (assessment.verdict === 'refused') {
      refused.push(assessment)
    } else if (checked < MAX_CHECKED_TOKENS) {
      checked += 1
      const verified = signatures.verify(token, budget, isAnchor)
      if (verified.ok) return ok(assessment.authorization)
      refused.push({
        verdict: 'refused',
        token,
        denial: verified.error,
        progress: ANCHORED + PROGRESS.signature,
        isForeign: false
      })
    }
  }
  const known = refused.some(({ token, isForeign }) => isForeign && signatures.verify(token, budget, isAnchor).ok)
  return err({ ...mostInformative(refused), known })
}

interface Approval {
  readonly verdict: 'approved'
  readonly token: Token
  readonly authorization: Authorization
}

interface Refusal {
  readonly verdict: 'refused'
  readonly token: Token
  readonly denial: Denial
  /** How far the token came; higher is nearer to success. */
  readonly progress: number
  /** Whether only the capability, topic or action is wrong: a good signature then shows a caller that is known here. */
  readonly isForeign: boolean
}

/** The steps of {@link assess}, by how near to success a refusal there is. */
const PROGRESS = { subject: 1, place: 2, structure: 3, purpose: 4, trust: 5, signature: 6 }

/** Added for tokens that lead to an anchor: whatever is wrong with them tells more than a stranger's best token. */
const ANCHORED = 10

/** How much of a token an anchor backs: all, less than it claims, or nothing. */
type Ground = 'full' | 'partial' | 'none'

function assess(token: Token, claim: Claim, now: Millis, trust: Trust): Approval | Refusal {
  const ground = groundOf(token, trust)
  const refuse = (step: keyof typeof PROGRESS, denial: Denial, isForeign = false): Refusal => ({
    verdict: 'refused',
    token,
    denial,
    progress: PROGRESS[step] + (ground === 'none' ? 0 : ANCHORED),
    isForeign: isForeign && ground !== 'none'
  })

  if (token.subject !== claim.subject) {
    const message = `not authorized: the token is for ${quote(token.subject)}, the caller is ${claim.subject}`
    return refuse('subject', denialOf('wrong-subject', message, token))
  }
  if (!isUsableHere(token, claim)) {
    return refuse('place', denialOf('wrong-audience', `not authorized: the token is for use at ${quote(token.audience)}`, token))
  }
  const structure = verifyStructure(token, toNanos(now), trust.revocations)
  if (!structure.ok) return refuse('structure', structure.error)
  const capability = capabilityFor(token, claim)
  if (capability === undefined) return refuse('purpose', refusePurpose(token, claim), token.action !== 'revoke')
  if (ground === 'none') return refuse('trust', refuseStranger(token))
  if (ground === 'partial') return refuse('trust', refuseExcess(token), true)
  const origin = parseDid(token.issuer)
  if (!origin.ok) return refuse('structure', denialOf('bad-token', `bad token: ${origin.error.message}`, token))
  return { verdict: 'approved', token, authorization: { capability, origin: origin.value, expiresAt: token.expiresAt } }
}

function groundOf(token: Token, { own, roots, require }: Trust): Ground {
  if (isAnchored(token, own) || roots.some((root) => isAnchored(token, root))) return 'full'
  const trusting = require.filter((requirement) => isTrustedThrough(requirement, token))
  if (trusting.some((requirement) => allowsAction(requirement, token))) return 'full'
  return trusting.length > 0 ? 'partial' : 'none'
}

function isUsableHere(token: Token, claim: Claim): boolean {
  return claim.topic === undefined ? isAudience(token, claim.audience) : token.audience === ''
}

function capabilityFor(token: Token, { subject, audience, topic, capabilities }: Claim): string | undefined {
  return capabilities.find((capability) =>
    topic === undefined
      ? allowsInvocation(token, subject, audience, capability)
      : allowsBroadcast(token, subject, topic, capability)
  )
}

function refusePurpose(token: Token, { topic, capabilities }: Claim): Denial {
  const wanted = topic === undefined ? 'invoke' : 'broadcast'
  if (token.action !== wanted)
    return denialOf('wrong-action', `not authorized: the token is for ${quote(token.action)}, not ${wanted}`, token)
  if (topic !== undefined && !someImplies(token.topics, topic)) {
    return denialOf('wrong-topic', `not authorized: the token is not for the topic ${quote(topic)}`, token)
  }
  return denialOf('wrong-capability', `not authorized: the token is not for ${capabilities.map(quote).join(' or ')}`, token)
}

function refuseStranger(token: Token): Denial {
  const issuer = quote(token.issuer)
  if (token.chain === undefined)
    return denialOf('no-chain', `not authorized: ${issuer} is no anchor here and proves no grant by one`, token)
  return denialOf('not-anchored', `not authorized: no issuer in the chain of ${issuer} is an anchor here`, token)
}

function refuseExcess(token: Token): Denial {
  return denialOf(
    'wrong-capability',
    `not authorized: the chain of ${quote(token.issuer)} is trusted here, but for less than it claims`,
    token
  )
}

function mostInformative(refusals: readonly Refusal[]): Denial {
  const best = refusals.reduce((a, b) => (b.progress > a.progress ? b : a))
  return best.denial
}
