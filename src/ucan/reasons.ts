import { type Millis, toNanos } from '../base/index.ts'
import { someImplies } from './capability.ts'
import {
  anchorDepth,
  type DelegationQuery,
  describeNanos,
  isAudience,
  isDepthAllowed,
  quote,
  type Revocations,
  revocationKey,
  type SignatureVerifier,
  verifySignatureOf
} from './chain.ts'
import { linksOf, MAX_LINKS } from './token.ts'
import type { Denial, Token } from './types.ts'

/**
 * One thing that is wrong with one link.
 *
 * The rules themselves are in chain.ts and decide; these functions take them apart to say all that is wrong and where.
 * Property tests hold both to the same answers.
 */
export interface Problem {
  readonly reason: Denial['reason']
  /** One sentence without the place, which {@link Problem.link} gives. */
  readonly message: string
  /** The number of the link in its chain, 1 for its root. */
  readonly link: number
}

/** What {@link linkProblems} needs besides the link. */
export interface LinkRules {
  readonly now: Millis
  readonly verifier: SignatureVerifier
  readonly revocations: Revocations
}

/** Everything that `verifyToken` holds against one link of a chain; empty for all links exactly when the token verifies. */
export function linkProblems(
  link: Token,
  level: number,
  { now, verifier, revocations }: LinkRules
): readonly Omit<Problem, 'link'>[] {
  const signature = verifySignatureOf(link, verifier)
  const forged = signature.ok ? [] : [signature.error]
  if (link.issuer === '' || link.subject === '') return [{ reason: 'bad-token', message: 'it has no issuer or no subject' }]
  const expired = expiryProblems(link, toNanos(now), 'expired')
  // A revocation takes away, so nothing else is asked of it; only the leaf of a chain can be one.
  if (link.action === 'revoke' && level === 0) return [...expired, ...forged]
  return [
    ...expired,
    ...(isDepthAllowed(link, level) ? [] : [tooDeep(link, level)]),
    ...(revocations.has(revocationKey(link))
      ? [{ reason: 'revoked', message: `revoked by ${quote(link.issuer)}` } as const]
      : []),
    ...(link.chain === undefined ? [] : chainProblems(link, link.chain)),
    ...forged
  ]
}

/** What is wrong between a link and the one that it stands on. */
function chainProblems(link: Token, chain: Token): readonly Omit<Problem, 'link'>[] {
  const claims = link.capabilities !== null && link.capabilities.length > 0
  return [
    ...(chain.action === 'delegate'
      ? []
      : [
          {
            reason: 'broken-chain',
            message: `it stands on a token for ${quote(chain.action)}, which allows no delegation`
          } as const
        ]),
    ...(link.expiresAt > chain.expiresAt
      ? [
          {
            reason: 'expired',
            message: `it ends at ${describeNanos(link.expiresAt)}, after the link that it stands on (${describeNanos(chain.expiresAt)})`
          } as const
        ]
      : []),
    ...(link.issuer === chain.subject
      ? []
      : [
          {
            reason: 'broken-chain',
            message: `it was issued by ${quote(link.issuer)}, but the link that it stands on is for ${quote(chain.subject)}`
          } as const
        ]),
    ...(claims ? termProblems(chain, link, 'it claims') : [])
  ]
}

/** Why a delegation does not reach as far as what is asked of it; `who` begins the sentences. */
function termProblems(
  given: Token,
  asked: Pick<DelegationQuery, 'audience' | 'topics' | 'capabilities'>,
  who: string
): readonly Omit<Problem, 'link'>[] {
  const problems: Omit<Problem, 'link'>[] = []
  if (!isAudience(given, asked.audience)) {
    const place = asked.audience === '' ? 'anywhere' : `at ${quote(asked.audience)}`
    problems.push({
      reason: 'wrong-audience',
      message: `${who} use ${place}, but was given use at ${quote(given.audience)} only`
    })
  }
  const topics = asked.topics.filter((topic) => !someImplies(given.topics, topic))
  if (topics.length > 0) {
    problems.push({ reason: 'wrong-topic', message: `${who} the topic ${list(topics)}, but was given ${topicsOf(given)}` })
  }
  const capabilities = (asked.capabilities ?? []).filter((capability) => !someImplies(given.capabilities, capability))
  if (capabilities.length > 0) {
    problems.push({
      reason: 'wrong-capability',
      message: `${who} ${list(capabilities)}, but was given ${list(given.capabilities ?? []) || 'nothing'}`
    })
  }
  return problems
}

/** Everything that keeps a new token from standing on a delegation; empty exactly when {@link canCarry} of present.ts says yes. */
export function carryProblems(
  token: Token,
  action: 'invoke' | 'broadcast' | 'delegate',
  query: DelegationQuery
): readonly Problem[] {
  const newLinks = action === 'delegate' ? 2 : 1
  const links = linksOf(token)
  const at = (level: number, problem: Omit<Problem, 'link'>): Problem => ({ ...problem, link: links.length - level })
  const end: Omit<Problem, 'link'>[] = []
  if (links.length + newLinks > MAX_LINKS) {
    end.push({ reason: 'too-deep', message: `its chain has ${links.length} links, at most ${MAX_LINKS} are read` })
  }
  if (token.action !== 'delegate')
    end.push({ reason: 'wrong-action', message: `it is for ${quote(token.action)}, it can be passed on no further` })
  if (token.subject !== query.issuer) {
    end.push({ reason: 'wrong-subject', message: `it was given to ${quote(token.subject)}, not to ${quote(query.issuer)}` })
  }
  return [
    ...links.flatMap((link, level) =>
      isDepthAllowed(link, level + newLinks) ? [] : [at(level, tooDeep(link, level + newLinks))]
    ),
    ...links.flatMap((link, level) => expiryProblems(link, query.expiresAt, 'needed').map((problem) => at(level, problem))),
    ...[...end, ...termProblems(token, query, 'the call needs')].map((problem) => at(0, problem))
  ]
}

/** Everything that keeps a require anchor from allowing a token; empty exactly when `allowsAction` says yes. */
export function trustProblems(requirement: Token, token: Token): readonly Omit<Problem, 'link'>[] {
  const level = anchorDepth(token, requirement.subject)
  const problems: Omit<Problem, 'link'>[] = []
  if (requirement.action !== 'delegate') problems.push({ reason: 'wrong-action', message: 'it is no delegation' })
  if (requirement.subject === '' || level < 0) {
    problems.push({ reason: 'not-anchored', message: `nothing in the chain was issued by ${quote(requirement.subject)}` })
  } else if (!isDepthAllowed(requirement, level)) {
    problems.push(tooDeep(requirement, level))
  }
  problems.push(
    ...linksOf(requirement)
      .filter((link) => token.expiresAt > link.expiresAt)
      .map(({ expiresAt }) => ({ reason: 'expired', message: `it ends at ${describeNanos(expiresAt)}` }) as const)
  )
  return [...problems, ...termProblems(requirement, token, 'the token claims')]
}

function expiryProblems(link: Token, instant: bigint, word: 'expired' | 'needed'): readonly Omit<Problem, 'link'>[] {
  if (instant <= link.expiresAt) return []
  const end = describeNanos(link.expiresAt)
  const message = word === 'expired' ? `expired at ${end}` : `it ends at ${end}, it is needed until ${describeNanos(instant)}`
  return [{ reason: 'expired', message }]
}

function tooDeep({ depth }: Token, level: number): Omit<Problem, 'link'> {
  return {
    reason: 'too-deep',
    message: `too deep: it allows ${depth} more link${depth === 1n ? '' : 's'}, here ${level === 1 ? 'is' : 'are'} ${level}`
  }
}

function topicsOf({ topics }: Token): string {
  return topics.length === 0 ? 'no topic' : list(topics)
}

function list(texts: readonly string[]): string {
  return texts.map(quote).join(', ')
}
