import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { millis, toNanos } from '../base/index.ts'
import { createVerifier, didOf } from '../identity/index.ts'
import { verifyToken } from './chain.ts'
import { createContext } from './context.ts'
import {
  actorOf,
  contextOf,
  contextUnder,
  createCountingRandom,
  errorOf,
  grantOf,
  inSeconds,
  keyOf,
  NOW,
  successOf
} from './fixtures.ts'
import { encodeTokenList, linksOf, MAX_LINKS, MAX_TOKEN_LIST_BYTES, parseTokenList } from './token.ts'
import type { CapabilityContext, Claim, Denial, PresentRequest, Token } from './types.ts'

const caller = actorOf(51)
const callee = actorOf(52)

const here = 10
const organization = contextOf(20)

function messageFrom(context: CapabilityContext, request: Partial<PresentRequest> = {}): Promise<readonly Token[]> {
  return context.present({
    target: keyOf(here).did,
    subject: caller.id,
    audience: callee.id,
    expiresAt: inSeconds(30),
    invoke: ['/test'],
    now: NOW,
    ...request
  })
}

function claimOf(tokens: readonly Token[], claim: Partial<Claim> = {}): Claim {
  return { subject: caller.did, audience: callee.did, capabilities: ['/test'], tokens, ...claim }
}

/** A member of the organization: it may do `/test`, broadcast it on `/t`, and delegate that. */
async function createMember(number: number, depth = 0n): Promise<CapabilityContext> {
  const token = await grantOf(organization, { subject: keyOf(number).did, topics: ['/t'], depth })
  return contextOf(number, { provide: [token] })
}

describe('authorize', () => {
  let context: CapabilityContext
  const refusalOf = (tokens: readonly Token[], claim: Partial<Claim> = {}): Denial =>
    errorOf(context.authorize(claimOf(tokens, claim), NOW))

  beforeEach(async () => {
    const requirement = await grantOf(contextOf(here), { subject: organization.did, topics: ['/t'] })
    context = contextOf(here, { require: [requirement] })
  })

  test('refuses a claim without capabilities or without tokens', () => {
    expect(refusalOf([], { capabilities: [] }).reason).toBe('no-capabilities')
    expect(refusalOf([])).toMatchObject({ reason: 'no-tokens', known: false })
  })

  test('refuses strangers, who get silence', async () => {
    expect(refusalOf(await messageFrom(contextOf(30)))).toMatchObject({ reason: 'no-chain', known: false, issuer: keyOf(30).did })
    const friend = await contextUnder(contextOf(31), 30, ['/test'])
    expect(refusalOf(await messageFrom(friend))).toMatchObject({ reason: 'not-anchored', known: false })
    expect(refusalOf(await messageFrom(friend), { capabilities: ['/other'] }).known).toBe(false)
  })

  test('refuses the tokens of another caller, though they are good', async () => {
    const tokens = await messageFrom(await createMember(30))
    expect(refusalOf(tokens, { subject: actorOf(53).did })).toMatchObject({ reason: 'wrong-subject', known: false })
    expect(refusalOf(tokens, { audience: actorOf(53).did })).toMatchObject({ reason: 'wrong-audience', known: false })
  })

  test('refuses a member what it may not, but knows it', async () => {
    const tokens = await messageFrom(await createMember(30))
    expect(refusalOf(tokens, { capabilities: ['/other'] })).toMatchObject({ reason: 'wrong-capability', known: true })
    expect(refusalOf(tokens, { topic: '/t' })).toMatchObject({ reason: 'wrong-audience', known: false })
  })

  test('refuses a member what its organization allows but we do not, and knows it', async () => {
    const grant = await grantOf(organization, { subject: keyOf(30).did, capabilities: ['/more'] })
    const tokens = await messageFrom(contextOf(30, { provide: [grant] }), { invoke: ['/more'] })
    expect(refusalOf(tokens, { capabilities: ['/more'] })).toMatchObject({ reason: 'wrong-capability', known: true })
  })

  test('does not know who only copied a chain: the signature decides', async () => {
    const tokens = await messageFrom(await createMember(30))
    const forged = tokens.map((token) => ({ ...token, signature: token.signature.toReversed() }))
    expect(refusalOf(forged)).toMatchObject({ reason: 'bad-signature', known: false })
    expect(refusalOf(forged, { capabilities: ['/other'] })).toMatchObject({ reason: 'wrong-capability', known: false })
  })

  test('refuses a claim on a chain that was widened, retargeted or lengthened', async () => {
    const [token] = await messageFrom(await createMember(30, 1n))
    if (token?.chain === undefined) throw new Error('expected a chained invocation')
    const { chain } = token
    expect(refusalOf([{ ...token, capabilities: ['/'] }], { capabilities: ['/dms'] }).reason).toBe('broken-chain')
    expect(refusalOf([{ ...token, issuer: keyOf(31).did }]).reason).toBe('broken-chain')
    expect(refusalOf([{ ...token, issuer: keyOf(30).did, chain: { ...chain, subject: keyOf(30).did, chain } }]).reason).toBe(
      'too-deep'
    )
  })

  test('refuses what was revoked, and whoever it was: it gets silence', async () => {
    const member = await createMember(30)
    const tokens = await messageFrom(member)
    successOf(context.authorize(claimOf(tokens), NOW))
    const [provided] = member.list(NOW).provide
    if (provided === undefined) throw new Error('expected a provide anchor')
    successOf(context.anchor({ kind: 'revoke', token: await organization.revoke(provided) }, NOW))
    expect(refusalOf(tokens)).toMatchObject({ reason: 'revoked', known: false, issuer: organization.did })
  })

  test('refuses what has expired meanwhile, although the chain is remembered as good', async () => {
    const tokens = await messageFrom(await createMember(30))
    successOf(context.authorize(claimOf(tokens), NOW))
    expect(errorOf(context.authorize(claimOf(tokens), millis(NOW + 30_001))).reason).toBe('expired')
  })

  test('refuses what outlives the require anchor', async () => {
    const grant = await grantOf(organization, { subject: keyOf(30).did, expiresAt: inSeconds(90) })
    const tokens = await messageFrom(contextOf(30, { provide: [grant] }), { expiresAt: inSeconds(61) })
    expect(refusalOf(tokens).reason).toBe('not-anchored')
  })

  test('refuses invocations where a broadcast is claimed, and broadcasts of other topics', async () => {
    const member = await createMember(30)
    const request = { subject: caller.id, topic: '/t/sub', expiresAt: inSeconds(30), capabilities: ['/test'], now: NOW }
    const tokens = await member.presentBroadcast(request)
    expect(refusalOf(tokens).reason).toBe('wrong-action')
    expect(refusalOf(tokens, { topic: '/t' })).toMatchObject({ reason: 'wrong-topic', known: true })
    expect(successOf(context.authorize(claimOf(tokens, { topic: '/t/sub/x' }), NOW)).capability).toBe('/test')
  })

  test('allows a member, and names who speaks and until when', async () => {
    const tokens = await messageFrom(await createMember(30))
    const authorization = successOf(context.authorize(claimOf(tokens, { capabilities: ['/other', '/test/x', '/test'] }), NOW))
    expect(authorization).toEqual({ capability: '/test/x', origin: keyOf(30).did, expiresAt: inSeconds(30) })
  })

  test('allows the owner of a root anchor everything', async () => {
    successOf(context.anchor({ kind: 'root', did: keyOf(31).did }, NOW))
    const tokens = await messageFrom(contextOf(31), { invoke: ['/dms/node/onboarding/onboard'] })
    expect(context.authorize(claimOf(tokens, { capabilities: ['/dms/node/onboarding/onboard'] }), NOW).ok).toBe(true)
  })

  test('never throws, whatever tokens a message carries', async () => {
    const good = await messageFrom(await createMember(30))
    const member = fc.constantFrom('', 'did:key:', keyOf(30).did, organization.did, caller.did, callee.did, 'x')
    const { token: hostile } = fc.letrec<{ token: Token }>((tie) => ({
      token: fc
        .record({
          action: fc.constantFrom('invoke', 'delegate', 'broadcast', 'revoke', ''),
          issuer: member,
          subject: member,
          audience: member,
          topics: fc.array(fc.constantFrom('/t', '')),
          capabilities: fc.option(fc.array(fc.constantFrom('/test', '/', ''))),
          nonce: fc.option(fc.uint8Array({ maxLength: 3 })),
          expiresAt: fc.constantFrom(0n, inSeconds(30), 2n ** 63n - 1n),
          depth: fc.constantFrom(0n, 1n),
          chain: fc.option(tie('token'), { maxDepth: 3, nil: undefined }),
          signature: fc.constantFrom(new Uint8Array(), new Uint8Array(64), new Uint8Array(70))
        })
        .map(({ chain, ...token }) => (chain === undefined ? token : { ...token, chain }))
    }))
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 20 }), fc.option(fc.constant('/t'), { nil: undefined }), (tokens, topic) => {
        const claim = claimOf(tokens, topic === undefined ? {} : { topic })
        expect(context.authorize(claim, NOW).ok).toBe(false)
      })
    )
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const tokens = parseTokenList(JSON.stringify({ tok: [value] }))
        expect(context.authorize(claimOf(tokens.ok ? tokens.value : []), NOW).ok).toBe(false)
        const mixed = tokens.ok ? [...tokens.value, ...good] : good
        expect(context.authorize(claimOf(mixed), NOW).ok).toBe(true)
      })
    )
  })
})

describe('the work of authorize', () => {
  function createCountingContext(anchors: Parameters<typeof contextOf>[1]): {
    readonly context: CapabilityContext
    readonly checks: () => number
  } {
    const verifier = createVerifier()
    let checks = 0
    const context = createContext({
      signer: keyOf(here),
      anchors: { roots: [], require: [], provide: [], revoke: [], ...anchors },
      verifier: {
        verify(did, message, signature) {
          checks += 1
          return verifier.verify(did, message, signature)
        }
      }
    })
    return { context, checks: () => checks }
  }

  test('checks no signature for strangers', async () => {
    const { context, checks } = createCountingContext({ roots: [organization.did] })
    const tokens = await messageFrom(await contextUnder(contextOf(31), 30, ['/test']))
    expect(context.authorize(claimOf(tokens), NOW).ok).toBe(false)
    expect(checks()).toBe(0)
  })

  test('checks one signature for a fresh token on a known chain', async () => {
    const { context, checks } = createCountingContext({ roots: [organization.did] })
    const member = await createMember(30)
    successOf(context.authorize(claimOf(await messageFrom(member)), NOW))
    const before = checks()
    successOf(context.authorize(claimOf(await messageFrom(member, { expiresAt: inSeconds(50) })), NOW))
    expect([before, checks() - before]).toEqual([2, 1])
  })

  test('checks no signature for tokens that it has seen, also when they come as text again', async () => {
    const { context, checks } = createCountingContext({ roots: [organization.did] })
    const tokens = await messageFrom(await createMember(30))
    successOf(context.authorize(claimOf(tokens), NOW))
    const before = checks()
    successOf(context.authorize(claimOf(tokens), NOW))
    successOf(context.authorize(claimOf(successOf(parseTokenList(encodeTokenList(tokens)))), NOW))
    expect(checks() - before).toBe(0)
  })

  test('checks the signature of a token that differs from one it has seen in nothing but the signature', async () => {
    const { context } = createCountingContext({ roots: [organization.did] })
    const tokens = await messageFrom(await createMember(30))
    successOf(context.authorize(claimOf(tokens), NOW))
    const forged = tokens.map((token) => ({ ...token, signature: token.signature.map((byte) => byte ^ 1) }))
    expect(errorOf(context.authorize(claimOf(forged), NOW)).reason).toBe('bad-signature')
  })

  test('refuses tokens that it has seen once they or their chain are revoked, expired or not for here', async () => {
    const member = await createMember(30)
    const tokens = await messageFrom(member)
    const [link] = member.list(NOW).provide
    if (link === undefined) throw new Error('expected an anchor')
    const { context } = createCountingContext({ roots: [organization.did] })
    successOf(context.authorize(claimOf(tokens), NOW))
    expect(errorOf(context.authorize(claimOf(tokens), millis(NOW + 31_000))).reason).toBe('expired')
    expect(errorOf(context.authorize(claimOf(tokens, { audience: keyOf(77).did }), NOW)).reason).toBe('wrong-audience')
    expect(errorOf(context.authorize(claimOf(tokens, { subject: keyOf(77).did }), NOW)).reason).toBe('wrong-subject')
    successOf(context.anchor({ kind: 'revoke', token: await organization.revoke(link) }, NOW))
    expect(errorOf(context.authorize(claimOf(tokens), NOW)).reason).toBe('revoked')
  })

  test('looks at no more than sixteen forged tokens', async () => {
    const { context, checks } = createCountingContext({ roots: [organization.did] })
    const [token] = await messageFrom(contextOf(30))
    if (token === undefined) throw new Error('expected an invocation')
    expect(context.authorize(claimOf(new Array(60).fill({ ...token, issuer: organization.did })), NOW).ok).toBe(false)
    expect(checks()).toBe(16)
  })

  /** A signed chain of `links` tokens with its newest holder; the link nearest the root stands on `root`. */
  async function createLongChain(root: Token, links: number): Promise<{ readonly chain: Token; readonly holder: number }> {
    let chain = root
    let holder = 60
    for (; linksOf(chain).length < links; holder += 1) {
      const request = { subject: keyOf(holder + 1).did, capabilities: ['/test'], expiresAt: inSeconds(40) }
      chain = (await contextOf(holder, { provide: [chain] }).delegate(request, NOW))[0] ?? chain
    }
    return { chain, holder }
  }

  test('checks one signature for a chain that only claims an anchor, whatever stands on it and below it', async () => {
    const stranger = contextOf(59)
    const claimed = { ...(await grantOf(stranger, { subject: keyOf(60).did })), issuer: keyOf(here).did }
    const beneath = await grantOf(stranger, { subject: keyOf(here).did })
    for (const root of [claimed, { ...claimed, chain: beneath }]) {
      const { chain, holder } = await createLongChain(root, 12)
      const [token] = await messageFrom(contextOf(holder, { provide: [chain] }))
      if (token === undefined) throw new Error('expected an invocation')
      const { context, checks } = createCountingContext({ roots: [organization.did] })
      expect(errorOf(context.authorize(claimOf([token]), NOW))).toMatchObject({ reason: 'bad-signature', known: false })
      expect(checks()).toBe(1)
    }
  })

  test('checks two signatures for a forged chain on a good link of an anchor', async () => {
    const good = await grantOf(organization, { subject: keyOf(31).did })
    const forged = { ...(await grantOf(contextOf(59), { subject: keyOf(60).did })), issuer: keyOf(31).did, chain: good }
    const { chain, holder } = await createLongChain(forged, 12)
    const [token] = await messageFrom(contextOf(holder, { provide: [chain] }))
    if (token === undefined) throw new Error('expected an invocation')
    const { context, checks } = createCountingContext({ roots: [organization.did] })
    expect(errorOf(context.authorize(claimOf([token]), NOW)).reason).toBe('bad-signature')
    expect(checks()).toBe(2)
  })

  test.each([
    ['eth', 33, 4],
    ['cardano', 32, 4],
    ['secp256k1', 33, 16],
    ['ed25519', 32, 16]
  ] as const)('checks the signatures of forged %s tokens by what they cost', async (type, length, count) => {
    const wallet = didOf({ type, bytes: new Uint8Array(length).fill(2) })
    const { context, checks } = createCountingContext({ roots: [wallet] })
    const [token] = await messageFrom(contextOf(30))
    if (token === undefined) throw new Error('expected an invocation')
    expect(context.authorize(claimOf(new Array(60).fill({ ...token, issuer: wallet })), NOW).ok).toBe(false)
    expect(checks()).toBe(count)
  })

  test('checks the whole of a longest chain', async () => {
    const { context, checks } = createCountingContext({ roots: [organization.did] })
    const { chain, holder } = await createLongChain(await grantOf(organization, { subject: keyOf(60).did }), MAX_LINKS - 1)
    const tokens = await messageFrom(contextOf(holder, { provide: [chain] }))
    successOf(context.authorize(claimOf(tokens), NOW))
    expect(checks()).toBe(MAX_LINKS)
  })

  test('is bounded for long chains with a forged root', async () => {
    const { context, checks } = createCountingContext({ roots: [organization.did] })
    const root = { ...(await grantOf(contextOf(59), { subject: keyOf(60).did })), issuer: organization.did }
    const { chain, holder } = await createLongChain(root, MAX_LINKS - 1)
    const [token] = await messageFrom(contextOf(holder, { provide: [chain] }))
    expect(token?.chain).toBe(chain)
    const tooLong = contextOf(holder, { provide: [{ ...chain, chain }] })
    const request = { subject: context.did, capabilities: ['/test'], expiresAt: inSeconds(40) }
    await expect(tooLong.delegate(request, NOW)).rejects.toThrow('its chain has 16 links, at most 16 are read')
    expect(await messageFrom(tooLong)).toHaveLength(1)
    const denial = errorOf(context.authorize(claimOf(new Array(60).fill(token)), NOW))
    expect(denial).toMatchObject({ reason: 'bad-signature', known: false })
    expect(checks()).toBe(16)
  })
})

describe('grantHere', () => {
  test('accepts a caller for as long as it is kept, one link deep, and is not listed', async () => {
    const context = contextOf(here)
    const tokens = await messageFrom(contextOf(30))
    const withdraw = await context.grantHere({ subject: keyOf(30).did, capabilities: ['/test'], expiresAt: inSeconds(60) })
    expect(context.authorize(claimOf(tokens), NOW).ok).toBe(true)
    expect(context.list(NOW).require).toEqual([])
    withdraw()
    expect(context.authorize(claimOf(tokens), NOW).ok).toBe(false)
  })

  test('ends by itself', async () => {
    const context = contextOf(here)
    await context.grantHere({ subject: keyOf(30).did, capabilities: ['/test'], expiresAt: inSeconds(20) })
    const tokens = await messageFrom(contextOf(30), { expiresAt: inSeconds(30) })
    expect(context.authorize(claimOf(tokens), NOW).ok).toBe(false)
  })
})

describe('anchor', () => {
  const context = contextOf(here)

  test('refuses tokens of the wrong kind, with the reason', async () => {
    const grant = await grantOf(organization, { subject: context.did })
    const [invocation] = await messageFrom(organization)
    if (invocation === undefined) throw new Error('expected an invocation')
    const revocation = await organization.revoke(grant)
    expect(errorOf(context.anchor({ kind: 'require', token: invocation }, NOW)).reason).toBe('wrong-action')
    expect(errorOf(context.anchor({ kind: 'provide', token: revocation }, NOW)).reason).toBe('wrong-action')
    expect(errorOf(context.anchor({ kind: 'revoke', token: grant }, NOW)).reason).toBe('wrong-action')
    expect(context.list(NOW)).toEqual({ roots: [], require: [], provide: [], revoke: [] })
  })

  test('refuses expired and forged tokens', async () => {
    const grant = await grantOf(organization, { subject: context.did })
    const late = errorOf(context.anchor({ kind: 'provide', token: grant }, millis(NOW + 60_001)))
    expect(late.reason).toBe('expired')
    expect(late.message).toContain('verify token: capability expired')
    expect(errorOf(context.anchor({ kind: 'provide', token: { ...grant, capabilities: ['/'] } }, NOW)).reason).toBe(
      'bad-signature'
    )
  })

  test.each([
    ['topics', { topics: ['/t'] }, {}],
    ['capabilities', { capabilities: ['/other'] }, {}],
    ['a later expiry', { expiresAt: inSeconds(90) }, {}],
    ['more depth', { depth: 2n }, { depth: 1n }],
    ['unlimited depth', {}, { depth: 1n }]
  ])('keeps a second grant beside or instead of the first when it brings %s', async (_, second, first) => {
    const fresh = contextOf(here)
    const grant = await grantOf(organization, { subject: fresh.did, ...first })
    const better = await grantOf(organization, { subject: fresh.did, ...second })
    expect(fresh.anchor({ kind: 'provide', token: grant }, NOW)).toEqual({ ok: true, value: 'added' })
    expect(fresh.anchor({ kind: 'provide', token: better }, NOW)).toEqual({ ok: true, value: 'added' })
    expect(fresh.list(NOW).provide).toContain(better)
  })

  test('drops what brings nothing, and what the new token makes superfluous', async () => {
    const fresh = contextOf(here)
    const narrow = await grantOf(organization, { subject: fresh.did, capabilities: ['/test/x'], depth: 2n })
    const wide = await grantOf(organization, { subject: fresh.did, topics: ['/t'] })
    successOf(fresh.anchor({ kind: 'require', token: narrow }, NOW))
    expect(successOf(fresh.anchor({ kind: 'require', token: wide }, NOW))).toBe('added')
    expect(successOf(fresh.anchor({ kind: 'require', token: narrow }, NOW))).toBe('present')
    expect(fresh.list(NOW).require).toEqual([wide])
  })

  test('keeps delegations that differ only in their chain', async () => {
    const fresh = contextOf(here)
    const grants = [
      await grantOf(organization, { subject: keyOf(30).did }),
      await grantOf(contextOf(21), { subject: keyOf(30).did })
    ]
    const member = contextOf(30, { provide: grants })
    const tokens = await member.delegate({ subject: fresh.did, capabilities: ['/test'], expiresAt: inSeconds(50) }, NOW)
    for (const token of tokens) successOf(fresh.anchor({ kind: 'provide', token }, NOW))
    expect(fresh.list(NOW).provide).toEqual(tokens)
    expect(tokens).toHaveLength(2)
  })

  test('drops what a new revocation revokes, and takes it no more', async () => {
    const fresh = contextOf(here)
    const grant = await grantOf(organization, { subject: fresh.did })
    successOf(fresh.anchor({ kind: 'require', token: grant }, NOW))
    const anchor = { kind: 'revoke', token: await organization.revoke(grant) } as const
    expect(successOf(fresh.anchor(anchor, NOW))).toBe('added')
    expect(successOf(fresh.anchor(anchor, NOW))).toBe('present')
    expect(fresh.list(NOW)).toMatchObject({ require: [], revoke: [anchor.token] })
    expect(errorOf(fresh.anchor({ kind: 'require', token: grant }, NOW)).reason).toBe('revoked')
  })

  test('remove says whether anything matched', async () => {
    const fresh = contextOf(here)
    const grant = await grantOf(organization, { subject: fresh.did })
    const revocation = await organization.revoke(await grantOf(organization, { subject: keyOf(30).did }))
    successOf(fresh.anchor({ kind: 'root', did: organization.did }, NOW))
    successOf(fresh.anchor({ kind: 'provide', token: grant }, NOW))
    successOf(fresh.anchor({ kind: 'revoke', token: revocation }, NOW))
    expect(fresh.remove({ kind: 'root', did: keyOf(30).did })).toBe(false)
    expect(fresh.remove({ kind: 'require', token: grant })).toBe(false)
    expect(fresh.remove({ kind: 'provide', token: revocation })).toBe(false)
    expect(fresh.remove({ kind: 'root', did: organization.did })).toBe(true)
    expect(fresh.remove({ kind: 'provide', token: { ...grant, signature: new Uint8Array() } })).toBe(true)
    expect(fresh.remove({ kind: 'revoke', token: revocation })).toBe(true)
    expect(fresh.list(NOW)).toEqual({ roots: [], require: [], provide: [], revoke: [] })
  })
})

describe('grant and delegate', () => {
  const context = contextOf(here)
  const request = { subject: keyOf(30).did, capabilities: ['/test'], expiresAt: inSeconds(30) }

  test.each([
    ['an empty subject', { subject: '' }],
    ['a subject that is no DID', { subject: 'someone' }],
    ['an audience that is no DID', { audience: 'somewhere' }],
    ['no capability', { capabilities: [] }],
    ['a relative capability', { capabilities: ['public'] }],
    ['an empty topic', { topics: [''] }],
    ['an expiry before 1970', { expiresAt: -1n }],
    ['an expiry that wraps around', { expiresAt: 2n ** 63n }],
    ['a negative depth', { depth: -1n }]
  ])('refuse %s', async (_, members) => {
    await expect(context.grant({ ...request, ...members })).rejects.toMatchObject({ code: 'UCAN_BAD_GRANT' })
    await expect(context.delegate({ ...request, ...members }, NOW)).rejects.toMatchObject({ code: 'UCAN_BAD_GRANT' })
  })

  test('delegate refuses an expiry in the past', async () => {
    await expect(context.delegate({ ...request, expiresAt: inSeconds(-1) }, NOW)).rejects.toMatchObject({
      code: 'UCAN_BAD_GRANT'
    })
  })

  test('grant makes a root token with a fresh nonce', async () => {
    const [one, two] = [
      await context.grant(request),
      await context.grant({ ...request, audience: callee.did, topics: ['/t'], depth: 2n })
    ]
    expect(one).toMatchObject({ action: 'delegate', issuer: context.did, audience: '', topics: [], depth: 0n })
    expect(two).toMatchObject({ audience: callee.did, topics: ['/t'], depth: 2n })
    expect(one.nonce).toHaveLength(12)
    expect(one.nonce).not.toEqual(two.nonce)
  })

  test('delegate skips anchors that cover only a part, are expired, or are revoked', async () => {
    const part = await grantOf(organization, { subject: context.did, capabilities: ['/test/x'] })
    const short = await grantOf(organization, { subject: context.did, expiresAt: inSeconds(20) })
    const revoked = await grantOf(organization, { subject: context.did })
    const revoke = [await organization.revoke(revoked)]
    const delegation = contextOf(here, { provide: [part, short, revoked], revoke }).delegate(request, NOW)
    await expect(delegation).rejects.toMatchObject({ code: 'UCAN_NOT_DELEGABLE', kind: 'forbidden' })
    await expect(delegation).rejects.toThrow(
      `the provide anchor of "${organization.did}" for "/test" cannot carry it: link 1: it ends at`
    )
  })

  test('delegate with the expiry of the anchor skips anchors that are expired', async () => {
    const provide = [await grantOf(organization, { subject: context.did, expiresAt: inSeconds(-1) })]
    const delegation = contextOf(here, { provide }).delegate({ ...request, expiresAt: 0n }, NOW)
    await expect(delegation).rejects.toThrow('no provide anchor of this context allows "/test"')
  })

  test('delegate combines the fewest anchors that together allow everything, one token each', async () => {
    const anchorFor = (capabilities: readonly string[], subject = context.did): Promise<Token> =>
      grantOf(organization, { subject, capabilities })
    const anchors = [
      await anchorFor(['/a']),
      await anchorFor(['/b']),
      await anchorFor(['/a', '/c']),
      await anchorFor(['/b', '/d']),
      await anchorFor(['/d'])
    ]
    const wanted = { ...request, capabilities: ['/a/1', '/b', '/c', '/d'] }
    const tokens = await contextOf(here, { provide: anchors }).delegate(wanted, NOW)
    expect(tokens.map(({ chain, capabilities }) => [chain, capabilities])).toEqual([
      [anchors[2], ['/a/1', '/c']],
      [anchors[3], ['/b', '/d']]
    ])
    for (const token of tokens) expect(verifyToken(token, toNanos(NOW), { verifier: createVerifier() }).ok).toBe(true)
    const excess = contextOf(here, { provide: anchors }).delegate({ ...wanted, capabilities: ['/a', '/e', '/f'] }, NOW)
    await expect(excess).rejects.toThrow(
      'failed to delegate capabilities: not authorized: no provide anchor of this context allows "/e"; no provide anchor of this context allows "/f"'
    )
  })

  test('delegate makes one token for each suitable anchor, and takes its expiry for 0', async () => {
    const anchors = [
      await grantOf(organization, { subject: context.did }),
      await grantOf(contextOf(21), { subject: context.did })
    ]
    const tokens = await contextOf(here, { provide: anchors }).delegate({ ...request, expiresAt: 0n }, NOW)
    expect(tokens.map(({ chain, expiresAt }) => [chain, expiresAt])).toEqual(anchors.map((anchor) => [anchor, inSeconds(60)]))
  })
})

describe('present', () => {
  test('refuses a message without capabilities, with a bad one, or without an expiry', async () => {
    await expect(messageFrom(contextOf(30), { invoke: [] })).rejects.toMatchObject({ code: 'UCAN_BAD_GRANT' })
    await expect(messageFrom(contextOf(30), { invoke: ['/a\n'] })).rejects.toMatchObject({ code: 'UCAN_BAD_GRANT' })
    await expect(messageFrom(contextOf(30), { delegate: ['reply'] })).rejects.toMatchObject({ code: 'UCAN_BAD_GRANT' })
    await expect(messageFrom(contextOf(30), { expiresAt: 0n })).rejects.toMatchObject({ code: 'UCAN_BAD_GRANT' })
  })

  test('gives a self-signed invocation and a reply grant for the target when there are no anchors', async () => {
    const tokens = await messageFrom(contextOf(30), { delegate: ['/reply/1'] })
    expect(tokens).toMatchObject([
      {
        action: 'invoke',
        subject: caller.did,
        audience: callee.did,
        capabilities: ['/test'],
        expiresAt: inSeconds(30),
        depth: 0n
      },
      { action: 'delegate', subject: keyOf(here).did, audience: caller.did, capabilities: ['/reply/1'], depth: 1n }
    ])
    expect(tokens.every(({ chain }) => chain === undefined)).toBe(true)
  })

  test('does not build on anchors that end before the message', async () => {
    expect(await messageFrom(await createMember(30), { expiresAt: inSeconds(61) })).toHaveLength(1)
  })

  test('builds only on good reply grants of the target for ourselves', async () => {
    const asked = contextOf(here)
    const [, grant] = await messageFrom(contextOf(30), { delegate: ['/reply/1'] })
    if (grant === undefined) throw new Error('expected a reply grant')
    const reply = (received: readonly Token[], target = keyOf(30).did): Promise<readonly Token[]> =>
      messageFrom(asked, { target, subject: callee.id, audience: caller.id, invoke: ['/reply/1'], received })
    expect(await reply([grant], keyOf(31).did)).toHaveLength(1)
    expect(await reply([{ ...grant, signature: grant.signature.toReversed() }])).toHaveLength(1)
    expect(await reply([{ ...grant, subject: keyOf(31).did }])).toHaveLength(1)
    expect((await reply([grant])).map(({ chain }) => chain)).toEqual([grant, undefined])
  })

  test('stays under the limit of the list, and keeps what the destination needs most', async () => {
    const target = contextOf(here)
    const fromTarget = await grantOf(target, { subject: keyOf(30).did })
    const shared = await grantOf(organization, { subject: keyOf(30).did })
    const others = await Promise.all(
      Array.from({ length: 40 }, (_, index) => grantOf(contextOf(100 + index), { subject: keyOf(30).did }))
    )
    const context = contextOf(30, { provide: [fromTarget, shared, ...others] })
    const received = await messageFrom(await createMember(31))
    const tokens = await messageFrom(context, { delegate: ['/reply/1'], received })
    expect(Buffer.byteLength(encodeTokenList(tokens))).toBeLessThan(MAX_TOKEN_LIST_BYTES)
    expect(parseTokenList(encodeTokenList(tokens))).toEqual({ ok: true, value: tokens })
    expect(tokens.slice(0, 3).map(({ chain }) => chain)).toEqual([fromTarget, shared, others.at(-1)])
    expect(tokens.slice(-2).map(({ action }) => action)).toEqual(['invoke', 'delegate'])
    expect(tokens.length).toBeGreaterThan(15)
  })

  test('signs nothing that it then throws away, and draws one nonce for each token', async () => {
    const random = createCountingRandom()
    const context = createContext({ signer: keyOf(30), random })
    const nonces = (await messageFrom(context, { delegate: ['/reply/1'] })).map(({ nonce }) => nonce?.[0])
    expect(nonces).toEqual([1, 2])
  })
})
