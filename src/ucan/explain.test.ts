import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toNanos } from '../base/index.ts'
import { createVerifier, type Did } from '../identity/index.ts'
import { isExpired } from './chain.ts'
import { createContext } from './context.ts'
import { type CallExplanation, explainCall, type Party } from './explain.ts'
import { actorOf, contextOf, createCountingRandom, grantOf, inSeconds, keyOf, NOW, successOf } from './fixtures.ts'
import { createMint } from './mint.ts'
import type { Anchors, GrantRequest, Token } from './types.ts'

const [user, node, organization] = [10, 11, 20]
const CAPABILITY = '/test'

/** A party whose context is here. */
function party(number: number, anchors: Partial<Anchors> = {}, unusable: readonly Token[] = []): Party {
  return { did: keyOf(number).did, anchors: { roots: [], require: [], provide: [], revoke: [], ...anchors }, unusable }
}

async function explain(
  caller: Party,
  callee: Party,
  more: { readonly topic?: string; readonly tokens?: readonly Token[] } = {}
): Promise<CallExplanation> {
  const question = { caller, callee, capability: CAPABILITY, now: NOW, ...more }
  return successOf(await explainCall(question, { verifier: createVerifier(), random: createCountingRandom() }))
}

function given(issuer: number, subject: number, request: Partial<GrantRequest> = {}): Promise<Token> {
  return grantOf(contextOf(issuer), { subject: keyOf(subject).did, ...request })
}

/** `given`, passed on by its holder. */
async function passedOn(provide: Token, holder: number, subject: number, request: Partial<GrantRequest> = {}): Promise<Token> {
  const [token] = await contextOf(holder, { provide: [provide] }).delegate(
    { subject: keyOf(subject).did, capabilities: [CAPABILITY], expiresAt: inSeconds(50), ...request },
    NOW
  )
  if (token === undefined) throw new Error('nothing was delegated')
  return token
}

/** A node that lets in whom the organization vouches for. */
async function openNode(request: Partial<GrantRequest> = {}): Promise<Party> {
  return party(node, { require: [await given(node, organization, request)] })
}

describe('a call that is refused names', () => {
  test('that nothing is anchored', async () => {
    expect(await explain(party(user), party(node))).toMatchObject({
      verdict: 'refused',
      carriers: [],
      admissions: [{ by: 'own', issuer: keyOf(node).did }],
      culprit: { where: 'callee', reason: 'no-chain' }
    })
  })

  test('an expired link in the middle of a chain', async () => {
    const middle = await passedOn(await given(organization, 30), 30, 31, { expiresAt: inSeconds(10) })
    const leaf = await passedOn(middle, 31, user, { expiresAt: inSeconds(9) })
    const late = { ...leaf, expiresAt: inSeconds(40), chain: { ...middle, expiresAt: inSeconds(-5) } }
    const { verdict, culprit } = await explain(party(user, {}, [late]), await openNode())
    expect(verdict).toBe('refused')
    expect(culprit).toMatchObject({ where: 'caller', reason: 'expired', link: 2, message: 'expired at 2024-09-27T09:47:13.000Z' })
  })

  test('a topic that was not given', async () => {
    const provide = [await given(organization, user, { topics: ['/nunet'] })]
    const explanation = await explain(party(user, { provide }), await openNode({ topics: ['/nunet', '/other'] }), {
      topic: '/other'
    })
    expect(explanation).toMatchObject({
      verdict: 'refused',
      culprit: {
        where: 'caller',
        reason: 'wrong-topic',
        link: 1,
        message: 'the call needs the topic "/other", but was given "/nunet"'
      }
    })
  })

  test('a chain that may not be passed on so far', async () => {
    const provide = [await passedOn(await given(organization, 30), 30, user)]
    const tooDeep = await explain(party(user, { provide }), await openNode({ depth: 1n }))
    expect(tooDeep).toMatchObject({ verdict: 'refused', culprit: { where: 'callee', reason: 'too-deep' } })
    expect(tooDeep.culprit?.message).toContain('does not reach that far: too deep: it allows 1 more link, here are 2')
    const mint = createMint({ signer: keyOf(30), random: createCountingRandom() })
    const grant = await given(organization, 30, { depth: 1n })
    const terms = { audience: '', topics: [], capabilities: [CAPABILITY], expiresAt: inSeconds(50), depth: 0n }
    const end = await mint.sign(mint.draft({ ...terms, action: 'delegate', subject: keyOf(user).did, chain: grant }))
    expect((await explain(party(user, { provide: [end] }), await openNode())).culprit).toMatchObject({
      where: 'caller',
      reason: 'too-deep',
      link: 1,
      message: 'too deep: it allows 1 more link, here are 2'
    })
  })

  test('an audience that is somebody else', async () => {
    const provide = [await given(organization, user, { audience: keyOf(40).did })]
    expect((await explain(party(user, { provide }), await openNode())).culprit).toMatchObject({
      where: 'caller',
      reason: 'wrong-audience',
      link: 1,
      message: `the call needs use at "${keyOf(node).did}", but was given use at "${keyOf(40).did}" only`
    })
  })

  test('a grant that its issuer revoked', async () => {
    const grant = await given(organization, 30)
    const provide = [await passedOn(grant, 30, user)]
    const revoke = [await contextOf(organization).revoke(grant)]
    const require = [await given(node, organization)]
    expect((await explain(party(user, { provide }), party(node, { require, revoke }))).culprit).toMatchObject({
      where: 'callee',
      reason: 'revoked',
      link: 1,
      message: `revoked by "${keyOf(organization).did}"`
    })
  })

  test('a signature of another key', async () => {
    const forged = { ...(await given(66, user)), issuer: keyOf(organization).did }
    expect((await explain(party(user, {}, [forged]), await openNode())).culprit).toMatchObject({
      where: 'caller',
      reason: 'bad-signature',
      link: 1
    })
  })

  test('the delegation that is nearest, not one of another capability', async () => {
    const provide = [
      await given(organization, user, { capabilities: ['/other'] }),
      await given(organization, user, { audience: keyOf(40).did })
    ]
    expect((await explain(party(user, { provide }), await openNode())).culprit).toMatchObject({ reason: 'wrong-audience' })
  })

  test('a callee that no actor can be', async () => {
    const callee = party(node)
    const question = { caller: party(user), callee: { ...callee, did: 'did:prism:x' as Did }, capability: CAPABILITY, now: NOW }
    const answer = await explainCall(question, { verifier: createVerifier(), random: createCountingRandom() })
    expect(answer.ok ? '' : answer.error.message).toContain('did:prism:x cannot be called')
  })
})

describe('a call that is allowed names its chain', () => {
  test('over the organization that both know', async () => {
    const grant = await given(organization, user)
    const { verdict, allowedBy, authorization } = await explain(party(user, { provide: [grant] }), await openNode())
    expect({ verdict, chain: allowedBy?.chain }).toEqual({ verdict: 'allowed', chain: grant })
    expect(authorization).toMatchObject({ origin: keyOf(user).did, capability: CAPABILITY })
  })

  test('of a root, which needs nothing', async () => {
    expect((await explain(party(user), party(node, { roots: [keyOf(user).did] }))).verdict).toBe('allowed')
  })

  test('that the callee itself gave, though its context is not here', async () => {
    const provide = [await given(node, user)]
    expect((await explain(party(user, { provide }), { did: keyOf(node).did })).verdict).toBe('allowed')
  })
})

describe('a call to a node whose context is not here', () => {
  test('is open, and the issuers are named one of whom it has to trust', async () => {
    const provide = [await passedOn(await given(organization, 30), 30, user)]
    const { verdict, needed } = await explain(party(user, { provide }), { did: keyOf(node).did })
    expect(verdict).toBe('unknown')
    expect(new Set(needed)).toEqual(new Set([keyOf(user).did, keyOf(30).did, keyOf(organization).did]))
  })
})

describe('a call from somebody whose context is not here', () => {
  test('is open, and what would let it in is named', async () => {
    const explanation = await explain({ did: keyOf(user).did }, await openNode())
    expect(explanation).toMatchObject({
      verdict: 'unknown',
      admissions: [
        { by: 'own', issuer: keyOf(node).did },
        { by: 'require', issuer: keyOf(organization).did }
      ]
    })
  })

  test('is judged by the delegations that it is said to hold', async () => {
    const tokens = [await given(organization, user)]
    expect((await explain({ did: keyOf(user).did }, await openNode(), { tokens })).verdict).toBe('allowed')
    const forged = [{ ...(await given(66, user)), issuer: keyOf(organization).did }]
    const refused = await explain({ did: keyOf(user).did }, await openNode(), { tokens: forged })
    expect(refused).toMatchObject({ verdict: 'refused', culprit: { reason: 'bad-signature', link: 1 } })
  })

  test('is judged by the invocation that it sends, for the actor that it names', async () => {
    const caller = contextOf(user, { provide: [await given(organization, user)] })
    const actor = actorOf(51)
    const sent = await caller.present({
      target: keyOf(node).did,
      subject: actor.id,
      audience: actorOf(node).id,
      expiresAt: inSeconds(30),
      invoke: [CAPABILITY],
      now: NOW
    })
    expect((await explain({ did: actor.did }, await openNode(), { tokens: sent })).verdict).toBe('allowed')
    const altered = sent.map((token) => ({ ...token, capabilities: ['/test', '/more'] }))
    const refused = await explain({ did: actor.did }, await openNode(), { tokens: altered })
    expect(refused.verdict).toBe('refused')
  })
})

test('explain says allowed exactly when a message would be', async () => {
  const terms = fc.record({
    audience: fc.constantFrom('', '', '', keyOf(node).did, keyOf(40).did),
    topics: fc.constantFrom(['/t'], ['/t'], []),
    capabilities: fc.constantFrom(['/test'], ['/test'], ['/'], ['/other']),
    depth: fc.constantFrom(0n, 0n, 0n, 1n, 2n),
    expiresAt: fc.constantFrom(inSeconds(60), inSeconds(60), inSeconds(35), inSeconds(20)),
    by: fc.constantFrom(organization, organization, 66)
  })
  const cases = fc.record({
    grants: fc.array(terms, { maxLength: 3 }),
    passes: fc.array(terms, { maxLength: 2 }),
    requires: fc.array(terms, { maxLength: 2 }),
    roots: fc.constantFrom([], [], [], [organization], [user]),
    isRevoked: fc.boolean(),
    topic: fc.constantFrom(undefined, '/t')
  })
  const count = { allowed: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(cases, async ({ grants, passes, requires, roots, isRevoked, topic }) => {
      const provide = await Promise.all(grants.map(({ by, ...request }) => given(by, user, request)))
      for (const { by: _, ...request } of passes) {
        const grant = await given(organization, 30, { topics: ['/t'], depth: request.depth })
        provide.push(
          ...(await contextOf(30, { provide: [grant] })
            .delegate({ ...request, subject: keyOf(user).did }, NOW)
            .catch(() => []))
        )
      }
      const require = await Promise.all(requires.map(({ by, ...request }) => given(node, by, request)))
      const [first] = provide
      const revoke =
        isRevoked && first !== undefined
          ? [
              await contextOf(organization).revoke(
                first.issuer === keyOf(organization).did ? first : (first.chain ?? (await given(organization, 1)))
              )
            ]
          : []
      const anchors: Anchors = { roots: roots.map((number) => keyOf(number).did), require, provide: [], revoke }
      const callee = contextOf(node, anchors)
      const caller = createContext({ signer: keyOf(user), anchors: { roots: [], require: [], provide, revoke: [] } })
      const actor = actorOf(51)
      const message = { subject: actor.id, expiresAt: toNanos(NOW) + 30_000_000_000n, now: NOW }
      const tokens =
        topic === undefined
          ? await caller.present({ ...message, target: keyOf(node).did, audience: actorOf(node).id, invoke: [CAPABILITY] })
          : await caller.presentBroadcast({ ...message, topic, capabilities: [CAPABILITY] })
      const claim = {
        subject: actor.did,
        audience: keyOf(node).did,
        capabilities: [CAPABILITY],
        tokens,
        ...(topic === undefined ? {} : { topic })
      }
      const isAllowed = callee.authorize(claim, NOW).ok
      const explained = await explain(party(user, { provide }), party(node, anchors), topic === undefined ? {} : { topic })
      expect(explained.verdict).toBe(isAllowed ? 'allowed' : 'refused')
      expect(explained.culprit === undefined).toBe(isAllowed)
      expect(provide.some((token) => isExpired(token, NOW))).toBe(false)
      count[isAllowed ? 'allowed' : 'refused'] += 1
    }),
    { numRuns: 150 }
  )
  expect(Math.min(count.allowed, count.refused)).toBeGreaterThan(10)
})
