import { type Millis, toNanos } from '../base/index.ts'
import { linksOf } from './token.ts'
import type { Authorization, Claim, Token } from './types.ts'

/**
 * Claims that were allowed, by the very list of tokens that they came with.
 *
 * Whether a claim is allowed depends on nothing but the claim, the anchors and the time; so what was allowed once is allowed as
 * long as neither the claim nor an anchor or revocation differs, and none of its tokens or their chains has expired.
 */
export interface Approvals {
  find(claim: Claim, revision: number, now: Millis): Authorization | undefined
  /** Remembers a claim that was allowed by anchors of this revision alone. */
  keep(claim: Claim, revision: number, authorization: Authorization): void
}

interface Approval {
  readonly claim: Claim
  readonly revision: number
  readonly authorization: Authorization
  /** UNIX nanoseconds. */
  readonly until: bigint
}

/** Creates an empty memory; it holds each list only as long as somebody else does. */
export function createApprovals(): Approvals {
  const approvals = new WeakMap<readonly Token[], Approval>()

  return {
    find(claim, revision, now) {
      const approval = approvals.get(claim.tokens)
      if (approval === undefined || approval.revision !== revision || !isSame(approval.claim, claim)) return undefined
      return toNanos(now) <= approval.until ? approval.authorization : undefined
    },
    keep(claim, revision, authorization) {
      approvals.set(claim.tokens, { claim, revision, authorization, until: earliestExpiry(claim.tokens) })
    }
  }
}

/** The instant until which none of the links of any of the tokens expires. */
function earliestExpiry(tokens: readonly Token[]): bigint {
  let earliest = 2n ** 63n
  for (const { expiresAt } of tokens.flatMap(linksOf)) if (expiresAt < earliest) earliest = expiresAt
  return earliest
}

function isSame(a: Claim, b: Claim): boolean {
  return (
    a.subject === b.subject &&
    a.audience === b.audience &&
    a.topic === b.topic &&
    a.capabilities.length === b.capabilities.length &&
    a.capabilities.every((capability, index) => capability === b.capabilities[index])
  )
}
