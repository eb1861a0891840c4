import { type Millis, toNanos } from '../base/index.ts'
import { NO_REVOCATIONS, type Revocations, type SignatureVerifier, verifySignatureOf, verifyToken } from './chain.ts'
import { type LinkRules, linkProblems, type Problem } from './reasons.ts'
import { linksOf } from './token.ts'
import type { Denial, Token } from './types.ts'

/** One link of an inspected chain. */
export interface InspectedLink {
  /** Without its chain in mind: issuer, subject, terms. */
  readonly token: Token
  /** 1 for the root of the chain. */
  readonly number: number
  readonly isSignatureGood: boolean
  /** What breaks the chain here; empty for a sound link. */
  readonly problems: readonly Problem[]
}

/** What a token is worth by itself; whether somebody trusts it is another matter. */
export interface Inspection {
  readonly token: Token
  /** From the root to the token itself, in the order in which they were given. */
  readonly links: readonly InspectedLink[]
  /** What `verifyToken` says; missing when the token holds. */
  readonly denial?: Denial
  /** UNIX nanoseconds: when the first of its links ends. */
  readonly expiresAt: bigint
  /** How many more links may be built on it; missing = any number. */
  readonly depthLeft?: bigint
}

/** Options of {@link inspectToken}. */
export interface InspectOptions {
  readonly now: Millis
  readonly verifier: SignatureVerifier
  readonly revocations?: Revocations
}

/**
 * Takes a token apart, link by link, and says what is wrong with each.
 *
 * The verdict is that of `verifyToken`: a token with a problem has a denial and the other way round.
 */
export function inspectToken(token: Token, { now, verifier, revocations = NO_REVOCATIONS }: InspectOptions): Inspection {
  const links = linksOf(token)
  const verified = verifyToken(token, toNanos(now), { verifier, revocations })
  const depthLeft = depthLeftOf(links)
  return {
    token,
    links: links
      .map((link, level) =>
        inspectLink(
          link,
          { level, number: links.length - level, isRevocation: token.action === 'revoke' },
          {
            now,
            verifier,
            revocations
          }
        )
      )
      .toReversed(),
    ...(verified.ok ? {} : { denial: verified.error }),
    expiresAt: least(links.map(({ expiresAt }) => expiresAt)) ?? token.expiresAt,
    ...(depthLeft === undefined ? {} : { depthLeft })
  }
}

/** The first problem of an inspected chain, from its root; nothing when it holds. */
export function firstProblem({ links }: Inspection): Problem | undefined {
  return links.flatMap(({ problems }) => problems)[0]
}

function inspectLink(
  link: Token,
  { level, number, isRevocation }: { readonly level: number; readonly number: number; readonly isRevocation: boolean },
  rules: LinkRules
): InspectedLink {
  const all = linkProblems(link, level, rules)
  // What a revocation stands on counts for nothing, only its end does.
  const problems =
    isRevocation && level > 0 ? all.filter(({ reason, message }) => reason === 'expired' && message.startsWith('expired')) : all
  return {
    token: link,
    number,
    isSignatureGood: verifySignatureOf(link, rules.verifier).ok,
    problems: problems.map((problem) => ({ ...problem, link: number }))
  }
}

function depthLeftOf(links: readonly Token[]): bigint | undefined {
  return least(links.flatMap(({ depth }, level) => (depth === 0n ? [] : [depth - BigInt(level)])))
}

function least(numbers: readonly bigint[]): bigint | undefined {
  return numbers.toSorted((a, b) => (a < b ? -1 : 1))[0]
}
