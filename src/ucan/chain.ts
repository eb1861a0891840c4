import { err, type Millis, ok, type Result, toNanos } from '../base/index.ts'
import { parseDid } from '../identity/index.ts'
import { implyAll, someImplies } from './capability.ts'
import { linksOf, signedBytes } from './token.ts'
import type { Denial, Token } from './types.ts'

/** Checks one signature; `createVerifier` of identity makes one. */
export interface SignatureVerifier {
  verify(did: string, message: Uint8Array, signature: Uint8Array): boolean
}

/** The revoked tokens, by {@link revocationKey}. */
export interface Revocations {
  has(key: string): boolean
  /** Whether it is known that there are none, so that no key need be made. */
  readonly isEmpty?: boolean
}

/** No revocations at all. */
export const NO_REVOCATIONS: Revocations = { has: () => false, isEmpty: true }

/** What a new token built on a delegation would claim (A §7.5 *allowDelegation*). */
export interface DelegationQuery {
  /** Who builds on it. */
  readonly issuer: string
  /** `''` for anywhere. */
  readonly audience: string
  readonly topics: readonly string[]
  /** UNIX nanoseconds. */
  readonly expiresAt: bigint
  readonly capabilities: readonly string[] | null
}

/** Whether some link of the chain expires before `instant` (UNIX nanoseconds); it is still valid at its very expiry. */
export function expiresBefore(token: Token, instant: bigint): boolean {
  return linksOf(token).some((link) => instant > link.expiresAt)
}

/** Whether the chain is expired at `now`. */
export function isExpired(token: Token, now: Millis): boolean {
  return expiresBefore(token, toNanos(now))
}

/** Whether any link of the chain was issued by `did`, not only its root. */
export function isAnchored(token: Token, did: string): boolean {
  return linksOf(token).some((link) => link.issuer === did)
}

/** The deepest level at which `did` is the issuer, 0 for the token itself; −1 when it is nowhere. */
export function anchorDepth(token: Token, did: string): number {
  return linksOf(token).findLastIndex((link) => link.issuer === did)
}

/** Whether an actor `subject` may invoke `capability` at `audience` with this token, should the token be valid. */
export function allowsInvocation(token: Token, subject: string, audience: string, capability: string): boolean {
  return (
    token.action === 'invoke' &&
    token.subject === subject &&
    isAudience(token, audience) &&
    someImplies(token.capabilities, capability)
  )
}

/** Whether an actor `subject` may broadcast `capability` on `topic` with this token, should the token be valid. */
export function allowsBroadcast(token: Token, subject: string, topic: string, capability: string): boolean {
  return (
    token.action === 'broadcast' &&
    token.subject === subject &&
    token.audience === '' &&
    someImplies(token.topics, topic) &&
    someImplies(token.capabilities, capability)
  )
}

/** Whether the token is usable at `audience`: it names nobody, or this one. */
export function isAudience(token: Token, audience: string): boolean {
  return token.audience === '' || token.audience === audience
}

/** Whether a token that claims `query` may stand on this delegation; depth aside (A §7.5 *allowDelegation'*). */
export function covers(token: Token, query: DelegationQuery): boolean {
  return (
    token.action === 'delegate' &&
    !expiresBefore(token, query.expiresAt) &&
    token.subject === query.issuer &&
    isAudience(token, query.audience) &&
    implyAll(token.topics, query.topics) &&
    implyAll(token.capabilities, query.capabilities)
  )
}

/** Whether every link may stand below a token `level` links above it (A §7.5 *verifyDepth*). */
export function isWithinDepth(token: Token, level: number): boolean {
  return linksOf(token).every((link, index) => isDepthAllowed(link, index + level))
}

/**
 * Whether a new token may be built on this delegation (A §7.5 *allowDelegation*).
 *
 * A new delegation needs one more level than an invocation: at the depth limit nothing could be built on it.
 */
export function allowsDelegation(token: Token, action: 'delegate' | 'invoke' | 'broadcast', query: DelegationQuery): boolean {
  return isWithinDepth(token, action === 'delegate' ? 2 : 1) && covers(token, query)
}

/** Whether a require token trusts the chain of `token` at all: its subject is in it, near enough and in time. */
export function isTrustedThrough(requirement: Token, token: Token): boolean {
  const level = anchorDepth(token, requirement.subject)
  return (
    requirement.action === 'delegate' &&
    requirement.subject !== '' &&
    !expiresBefore(requirement, token.expiresAt) &&
    level >= 0 &&
    isDepthAllowed(requirement, level) &&
    isAudience(requirement, token.audience)
  )
}

/** Whether a require token lets `token` do what it claims (A §7.5 *allowAction*). */
export function allowsAction(requirement: Token, token: Token): boolean {
  return (
    isTrustedThrough(requirement, token) &&
    implyAll(requirement.capabilities, token.capabilities) &&
    implyAll(requirement.topics, token.topics)
  )
}

/** Whether a link may stand `level` links below the end of its chain, as far as the link itself says. */
export function isDepthAllowed(link: Token, level: number): boolean {
  return link.depth === 0n || BigInt(level) <= link.depth
}

/** What a revocation and the token it revokes have in common: issuer, subject and nonce (A §7.5). */
export function revocationKey(token: Token): string {
  return JSON.stringify([token.issuer, token.subject, Buffer.from(token.nonce ?? []).toString('base64')])
}

/** Whether the token, or a link of its chain, is revoked. */
export function isRevoked(token: Token, revocations: Revocations): boolean {
  return linksOf(token).some((link) => isLinkRevoked(link, revocations))
}

/** Whether the token itself is revoked, whatever its chain. */
function isLinkRevoked(link: Token, revocations: Revocations): boolean {
  return revocations.isEmpty !== true && revocations.has(revocationKey(link))
}

/**
 * Verifies a token with its whole chain, in the order of the reference (A §7.6); the first failure decides.
 *
 * Says nothing about trust: a self-signed token verifies. Stricter than the reference in one point: tokens without
 * issuer or subject are bad, because keys of unsupported types collapse to the empty DID there (W5). Pure.
 *
 * @param now - UNIX nanoseconds.
 * @returns Messages contain the words of the reference's errors.
 */
export function verifyToken(
  token: Token,
  now: bigint,
  options: { readonly verifier: SignatureVerifier; readonly revocations?: Revocations }
): Result<void, Denial> {
  const { verifier, revocations = NO_REVOCATIONS } = options
  return verifyLink(token, 0, { now, revocations, verifySignature: (link) => verifySignatureOf(link, verifier) })
}

/** Everything that {@link verifyToken} checks, except signatures: cheap enough to come before any of them. */
export function verifyStructure(token: Token, now: bigint, revocations: Revocations): Result<void, Denial> {
  return verifyLink(token, 0, { now, revocations, verifySignature: () => ok(undefined) })
}

/** The signature of one token; its chain is not looked at. */
export function verifySignatureOf(token: Token, verifier: SignatureVerifier): Result<void, Denial> {
  if (!parseDid(token.issuer).ok) return deny('bad-token', `verify: anchor: invalid DID: ${quote(token.issuer)}`, token)
  if (verifier.verify(token.issuer, signedBytes(token), token.signature)) return ok(undefined)
  return deny('bad-signature', `verify: signature: signature verification failed for a token of ${quote(token.issuer)}`, token)
}

interface LinkRules {
  readonly now: bigint
  readonly revocations: Revocations
  readonly verifySignature: (link: Token) => Result<void, Denial>
}

function verifyLink(token: Token, level: number, rules: LinkRules): Result<void, Denial> {
  const { now, revocations, verifySignature } = rules
  if (token.issuer === '' || token.subject === '') return deny('bad-token', 'bad token: it has no issuer or no subject', token)
  if (expiresBefore(token, now)) return denyExpired(token, now)
  if (token.action === 'revoke') return verifySignature(token)
  if (!isDepthAllowed(token, level)) {
    return deny(
      'too-deep',
      `max token depth exceeded: not authorized: ${quote(token.issuer)} allows ${token.depth} links, here are ${level}`,
      token
    )
  }
  if (isLinkRevoked(token, revocations)) {
    return deny('revoked', `verify: token has been revoked: not authorized: by ${quote(token.issuer)}`, token)
  }
  const chained = token.chain === undefined ? ok(undefined) : verifyChain(token, token.chain, level, rules)
  return chained.ok ? verifySignature(token) : chained
}

function verifyChain(token: Token, chain: Token, level: number, rules: LinkRules): Result<void, Denial> {
  if (chain.action !== 'delegate') {
    return deny(
      'broken-chain',
      `verify: chain does not allow delegation: not authorized: it is for ${quote(chain.action)}`,
      chain
    )
  }
  if (expiresBefore(chain, token.expiresAt)) return denyExpired(chain, token.expiresAt)
  const verified = verifyLink(chain, level + 1, rules)
  if (!verified.ok) return verified
  if (token.issuer !== chain.subject) {
    return deny(
      'broken-chain',
      `verify: issuer/chain subject misnmatch: not authorized: ${quote(token.issuer)} uses a token for ${quote(chain.subject)}`,
      token
    )
  }
  // The reference checks capability by capability: a token without any claims nothing (A §7.6, note 6e).
  if (token.capabilities === null || token.capabilities.length === 0 || covers(chain, token)) return ok(undefined)
  return deny(
    'broken-chain',
    `verify: capabilities are not allowed by the chain: not authorized: ${quote(token.issuer)} claims more than ${quote(chain.issuer)} gave`,
    token
  )
}

function denyExpired(token: Token, instant: bigint): Result<never, Denial> {
  const expired = linksOf(token).find((link) => instant > link.expiresAt) ?? token
  return deny(
    'expired',
    `capability expired: a token of ${quote(expired.issuer)} ends at ${describeNanos(expired.expiresAt)}, it is needed until ${describeNanos(instant)}`,
    expired
  )
}

/** Why a caller about whom nothing else is known is refused; `token` is the link to blame. */
export function denialOf(reason: Denial['reason'], message: string, token?: Token): Denial {
  return { reason, message, known: false, ...(token === undefined ? {} : { issuer: token.issuer }) }
}

/** {@link denialOf} as a result. */
export function deny(reason: Denial['reason'], message: string, token?: Token): Result<never, Denial> {
  return err(denialOf(reason, message, token))
}

/** Foreign text for a message: quoted and cut. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)
}

/** UNIX nanoseconds as a date for people; beyond the year 9999 as a number. */
export function describeNanos(nanos: bigint): string {
  const millis = nanos / 1_000_000n
  return millis >= 0n && millis < 253_402_300_800_000n ? new Date(Number(millis)).toISOString() : `${nanos} ns`
}
