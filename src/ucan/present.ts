import { type AbortOptions, type Millis, type Result, toNanos } from '../base/index.ts'
import { type ActorId, type Did, didOfActorId } from '../identity/index.ts'
import { someImplies } from './capability.ts'
import { allowsDelegation, type DelegationQuery, describeNanos, isAnchored, isExpired, quote } from './chain.ts'
import { type Cover, fewestCovering } from './combine.ts'
import { BadGrantError, NotDelegableError } from './errors.ts'
import { type Draft, draftOf, type Mint, requireMessageTerms } from './mint.ts'
import { carryProblems, type Problem } from './reasons.ts'
import { createReusableTokens } from './reusable.ts'
import { encodeToken, linksOf, MAX_LINKS, MAX_TOKEN_LIST_BYTES } from './token.ts'
import type { Denial, GrantRequest, PresentBroadcastRequest, PresentRequest, Token } from './types.ts'

/** Reply grants of one request that are used; the reference sends one. */
const MAX_REPLIES = 4

/** `{"tok":[` and `]}`, and one byte to stay under the limit. */
const LIST_OVERHEAD = 11

/** The least that a signature adds to a token: `,"sig":"…"` around the base64 of 64 bytes. */
const SIGNATURE_OVERHEAD = 97

/** What {@link createPresenter} needs of its context. */
export interface PresenterOptions {
  readonly own: Did
  readonly mint: Mint
  /** The provide anchors that are not revoked, oldest first. */
  readonly provide: () => readonly Token[]
  /** Whether a foreign token holds, signatures included. */
  readonly verify: (token: Token, now: bigint) => Result<void, Denial>
}

/** Makes the tokens that a context sends or hands on. */
export interface Presenter {
  /**
   * The tokens of a message (A §8.2 *provide*): invocations on the received reply grants, invocations on provide anchors,
   * a self-signed invocation and, when something is delegated, a self-signed reply grant.
   *
   * Without received and delegated ones, those that were signed for the same purpose a moment ago are used again.
   *
   * The list stays under 16 KiB (W24): anchors are taken by {@link byUsefulness} until it is full.
   */
  present(request: PresentRequest, options?: AbortOptions): Promise<readonly Token[]>
  /** The tokens of a broadcast: on provide anchors, newest first, as many as fit, and a self-signed one. */
  presentBroadcast(request: PresentBroadcastRequest, options?: AbortOptions): Promise<readonly Token[]>
  /**
   * One delegation for each provide anchor that allows all of it; without any, one for each of the fewest anchors that allow
   * it together. An `expiresAt` of 0 takes the expiry of the anchor.
   *
   * @throws BadGrantError for invalid requests, also for an expiry before `now`.
   * @throws NotDelegableError when something of it is allowed by no anchor.
   */
  delegate(request: GrantRequest, now: Millis, options?: AbortOptions): Promise<readonly Token[]>
}

/** Creates the presenter of one context. */
export function createPresenter({ own, mint, provide, verify }: PresenterOptions): Presenter {
  const reusables = createReusableTokens()
  const create = (draft: Draft, options: AbortOptions | undefined): Promise<Token> => mint.sign(mint.draft(draft), options)

  const usableAnchors = (action: 'invoke' | 'broadcast', query: DelegationQuery): readonly Token[] =>
    provide().filter((anchor) => canCarry(anchor, action, query))

  function usableReplies({ target, received = [], now }: PresentRequest, query: DelegationQuery): readonly Token[] {
    return received
      .filter((token) => isAnchored(token, target) && canCarry(token, 'invoke', query))
      .slice(0, MAX_REPLIES)
      .filter((token) => verify(token, toNanos(now)).ok)
  }

  async function presentFresh(request: PresentRequest, options: AbortOptions | undefined): Promise<readonly Token[]> {
    const { target, invoke, delegate = [], expiresAt, received = [] } = request
    const [subject, audience] = [didOf(request.subject), didOf(request.audience)]
    const invocation: Draft = { action: 'invoke', subject, audience, topics: [], capabilities: invoke, expiresAt, depth: 0n }
    const powers = { action: 'delegate', capabilities: delegate, depth: 1n } as const
    const replyGrant: Draft = { ...invocation, ...powers, subject: target, audience: subject }
    const query: DelegationQuery = { ...invocation, issuer: own }

    const room = createRoom()
    const selfSigned = [await create(invocation, options)]
    if (delegate.length > 0) selfSigned.push(await create(replyGrant, options))
    room.reserve(selfSigned)
    const replies = await signOn(usableReplies(request, query), { draft: invocation, mint, room }, options)
    const anchors = byUsefulness(usableAnchors('invoke', query), target, received)
    return [...replies, ...(await signOn(anchors, { draft: invocation, mint, room }, options)), ...selfSigned]
  }

  return {
    async present(request, options) {
      const { target, invoke, delegate = [], expiresAt, received = [], now } = request
      requireMessageTerms(invoke, [], expiresAt)
      if (delegate.length > 0) requireMessageTerms(delegate, [], expiresAt)
      if (delegate.length > 0 || received.length > 0) return presentFresh(request, options)
      const anchors = provide()
      const purpose = JSON.stringify([target, Buffer.concat([request.subject, request.audience]).toString('hex'), ...invoke])
      const reusable = reusables.find(purpose, anchors, expiresAt, now)
      if (reusable !== undefined) return reusable
      const tokens = await presentFresh(request, options)
      reusables.keep(purpose, { tokens, provide: anchors, expiresAt })
      return tokens
    },

    async presentBroadcast({ subject: actor, topic, expiresAt, capabilities }, options) {
      requireMessageTerms(capabilities, [topic], expiresAt)
      const subject = didOf(actor)
      const draft: Draft = { action: 'broadcast', subject, audience: '', topics: [topic], capabilities, expiresAt, depth: 0n }
      const room = createRoom()
      const selfSigned = await create(draft, options)
      room.reserve([selfSigned])
      return [
        ...(await signOn(usableAnchors('broadcast', { ...draft, issuer: own }).toReversed(), { draft, mint, room }, options)),
        selfSigned
      ]
    },

    async delegate(request, now, options) {
      const isAutomatic = request.expiresAt === 0n
      const draft = draftOf(isAutomatic ? { ...request, expiresAt: 1n } : request)
      if (!isAutomatic && draft.expiresAt < toNanos(now)) {
        throw new BadGrantError(`the expiry ${describeNanos(draft.expiresAt)} has passed; choose one in the future`)
      }
      const query: DelegationQuery = { ...draft, issuer: own }
      const anchors = provide().filter((token) => !isExpired(token, now))
      const tokens: Token[] = []
      for (const { item: anchor, covered } of coversOf(anchors, query)) {
        const expiresAt = isAutomatic ? anchor.expiresAt : draft.expiresAt
        tokens.push(await create({ ...draft, capabilities: covered, expiresAt, chain: anchor }, options))
      }
      return tokens
    }
  }
}

/**
 * The anchors to delegate on, each with what it is used for: every anchor that allows all of it or, when there is none, the
 * fewest that allow it together (W23).
 *
 * @throws NotDelegableError naming the capabilities that no anchor allows, and why the nearest one does not.
 */
function coversOf(anchors: readonly Token[], query: DelegationQuery): readonly Cover<Token>[] {
  const wanted = query.capabilities ?? []
  const whole = anchors.filter((anchor) => canCarry(anchor, 'delegate', query))
  if (whole.length > 0) return whole.map((item) => ({ item, covered: wanted }))
  const allows = (anchor: Token, capability: string): boolean =>
    canCarry(anchor, 'delegate', { ...query, capabilities: [capability] })
  const parts = anchors.map((item) => ({ item, covered: wanted.filter((capability) => allows(item, capability)) }))
  const chosen = fewestCovering(wanted, parts)
  if (chosen !== undefined) return chosen
  const missing = wanted.filter((capability) => !parts.some(({ covered }) => covered.includes(capability)))
  throw new NotDelegableError(
    `failed to delegate capabilities: not authorized: ${missing.map((capability) => refusalOf(capability, anchors, query)).join('; ')}`
  )
}

function refusalOf(capability: string, anchors: readonly Token[], query: DelegationQuery): string {
  const nearest = anchors
    .filter((anchor) => someImplies(anchor.capabilities, capability))
    .map((anchor) => ({ anchor, problems: carryProblems(anchor, 'delegate', { ...query, capabilities: [capability] }) }))
    .reduce<{ readonly anchor: Token; readonly problems: readonly Problem[] } | undefined>(
      (a, b) => (a === undefined || b.problems.length < a.problems.length ? b : a),
      undefined
    )
  const [problem] = nearest?.problems ?? []
  if (nearest === undefined || problem === undefined) return `no provide anchor of this context allows ${quote(capability)}`
  return `the provide anchor of ${quote(nearest.anchor.issuer)} for ${quote(capability)} cannot carry it: link ${problem.link}: ${problem.message}`
}

/** Signs `draft` on each of `chains`, as long as there is room. */
async function signOn(
  chains: readonly Token[],
  { draft, mint, room }: { readonly draft: Draft; readonly mint: Mint; readonly room: Room },
  options: AbortOptions | undefined
): Promise<readonly Token[]> {
  const tokens: Token[] = []
  for (const chain of chains) {
    const unsigned = mint.draft({ ...draft, chain })
    if (!room.mayHold({ ...unsigned, signature: NO_SIGNATURE })) continue
    const token = await mint.sign(unsigned, options)
    if (room.take(token)) tokens.push(token)
  }
  return tokens
}

/** Whether a new token fits on this delegation, with one more link for an invocation on a new delegation. */
export function canCarry(token: Token, action: 'invoke' | 'broadcast' | 'delegate', query: DelegationQuery): boolean {
  const newLinks = action === 'delegate' ? 2 : 1
  return linksOf(token).length + newLinks <= MAX_LINKS && allowsDelegation(token, action, query)
}

/**
 * Orders provide anchors by how likely the destination can use them (W24): those that lead to itself, then those that
 * share an issuer with the tokens it sent (a common organization), then the others; each group newest first.
 */
function byUsefulness(anchors: readonly Token[], target: Did, received: readonly Token[]): readonly Token[] {
  const shared = new Set(received.flatMap(linksOf).map((link) => link.issuer))
  const rank = (token: Token): number => {
    if (isAnchored(token, target)) return 0
    return linksOf(token).some((link) => shared.has(link.issuer)) ? 1 : 2
  }
  return anchors.toReversed().toSorted((a, b) => rank(a) - rank(b))
}

function didOf(actor: ActorId): Did {
  const did = didOfActorId(actor)
  if (!did.ok) throw new BadGrantError(`a message needs actors with usable keys: ${did.error.message}`)
  return did.value
}

const NO_SIGNATURE = new Uint8Array()

/** The bytes that are left in a token list. */
interface Room {
  /** Whether an unsigned token can fit. */
  mayHold(unsigned: Token): boolean
  /** Takes room for a token, unless it does not fit. */
  take(token: Token): boolean
  /** Takes room for tokens that must be in the list. */
  reserve(tokens: readonly Token[]): void
}

function createRoom(): Room {
  let left = MAX_TOKEN_LIST_BYTES - LIST_OVERHEAD
  const sizeOf = (token: Token): number => Buffer.byteLength(encodeToken(token)) + ','.length
  const take = (token: Token): boolean => {
    const size = sizeOf(token)
    if (size > left) return false
    left -= size
    return true
  }
  return {
    mayHold: (unsigned) => sizeOf(unsigned) + SIGNATURE_OVERHEAD <= left,
    take,
    reserve(tokens) {
      if (!tokens.every(take))
        throw new BadGrantError(`the capabilities of a message must fit into ${MAX_TOKEN_LIST_BYTES} bytes`)
    }
  }
}
