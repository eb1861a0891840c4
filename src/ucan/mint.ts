import type { AbortOptions, Random } from '../base/index.ts'
import { parseDid, type Signer } from '../identity/index.ts'
import { isWireCapability, isWireText, parseCapability } from './capability.ts'
import { BadGrantError, NotIssuerError } from './errors.ts'
import { signedBytes, type UnsignedToken } from './token.ts'
import type { GrantRequest, Token, TokenAction } from './types.ts'

/** Bytes of a nonce (A §7.1). */
const NONCE_LENGTH = 12

const MAX_INT64 = 2n ** 63n - 1n

/** What a new token says, besides what the mint adds: issuer, nonce and signature. */
export interface Draft {
  readonly action: TokenAction
  readonly subject: string
  /** `''` for anywhere. */
  readonly audience: string
  readonly topics: readonly string[]
  readonly capabilities: readonly string[]
  /** UNIX nanoseconds. */
  readonly expiresAt: bigint
  /** 0 = unlimited. */
  readonly depth: bigint
  readonly chain?: Token
}

/** Makes the tokens of one DID (A §7.7). */
export interface Mint {
  /** A token that lacks only its signature. */
  draft(draft: Draft): UnsignedToken
  sign(token: UnsignedToken, options?: AbortOptions): Promise<Token>
  /**
   * The revocation of a token that this DID issued.
   *
   * @throws NotIssuerError for tokens of others.
   */
  revoke(token: Token, options?: AbortOptions): Promise<Token>
}

/** Creates the mint of a signer. */
export function createMint({ signer, random }: { readonly signer: Signer; readonly random: Random }): Mint {
  const sign: Mint['sign'] = async (token, options) => ({ ...token, signature: await signer.sign(signedBytes(token), options) })
  return {
    draft: (draft) => ({ ...draft, issuer: signer.did, nonce: random.bytes(NONCE_LENGTH) }),
    sign,
    async revoke(token, options) {
      if (token.issuer !== signer.did)
        throw new NotIssuerError(`only ${token.issuer || 'nobody'} can revoke this token, not ${signer.did}`)
      const { issuer, subject, nonce, expiresAt, capabilities } = token
      return sign(
        { action: 'revoke', issuer, subject, audience: '', topics: [], capabilities, nonce, expiresAt, depth: 0n },
        options
      )
    }
  }
}

/**
 * Checks a request for a delegation and turns it into a draft.
 *
 * @throws BadGrantError names what is wrong; the reference checks nothing here (A §7.7, W5, W10, W21).
 */
export function draftOf(request: GrantRequest): Draft {
  const { subject, audience = '', topics = [], capabilities, expiresAt, depth = 0n } = request
  requireDid('subject', subject)
  if (audience !== '') requireDid('audience', audience)
  if (capabilities.length === 0) throw new BadGrantError('a grant needs at least one capability')
  for (const capability of capabilities) {
    const parsed = parseCapability(capability)
    if (!parsed.ok) throw new BadGrantError(parsed.error.message)
  }
  requireTopics(topics)
  requireExpiry(expiresAt)
  if (depth < 0n || depth > MAX_INT64) throw new BadGrantError(`the depth must be 0 (unlimited) or more, got ${depth}`)
  return { action: 'delegate', subject, audience, topics, capabilities, expiresAt, depth }
}

/** Checks the capabilities, topics and expiry of a message; its behaviours are names of the program, or of the peer. */
export function requireMessageTerms(capabilities: readonly string[], topics: readonly string[], expiresAt: bigint): void {
  if (capabilities.length === 0) throw new BadGrantError('a message needs at least one capability')
  const bad = capabilities.find((capability) => !isWireCapability(capability))
  if (bad !== undefined)
    throw new BadGrantError(`invalid capability ${JSON.stringify(bad)}: must start with / and have no control characters`)
  requireTopics(topics)
  requireExpiry(expiresAt)
}

function requireDid(role: string, text: string): void {
  const did = parseDid(text)
  if (!did.ok) throw new BadGrantError(`the ${role} of a grant must be a DID: ${did.error.message}`)
}

function requireTopics(topics: readonly string[]): void {
  const bad = topics.find((topic) => topic === '' || !isWireText(topic))
  if (bad !== undefined)
    throw new BadGrantError(`invalid topic ${JSON.stringify(bad)}: must not be empty or have control characters`)
}

function requireExpiry(expiresAt: bigint): void {
  if (expiresAt <= 0n || expiresAt > MAX_INT64) {
    throw new BadGrantError(`the expiry must lie between 1970 and 2262, got ${expiresAt} ns after 1970`)
  }
}
