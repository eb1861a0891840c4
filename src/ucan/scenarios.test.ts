import { describe, expect, test } from 'vitest'
import { type Millis, millis, toNanos } from '../base/index.ts'
import { actorOf, contextOf, contextUnder, errorOf, grantOf, inSeconds, keyOf, NOW, successOf } from './fixtures.ts'
import type { CapabilityContext, PresentRequest, Token } from './types.ts'

// The scenarios of test/vectors/identity.json, group "scenarios". Its contexts store the tokens they meet; ours authorize a
// message by the tokens that it carries, so "consume, then require" is one call, and there is nothing to discard.

const one = actorOf(51)
const two = actorOf(52)

/** `from.provide(to)` and `to.consume; to.require` for the actors of the scenarios; fails the test unless it is allowed. */
async function exchange(
  from: CapabilityContext,
  to: CapabilityContext,
  request: Partial<PresentRequest>
): Promise<readonly Token[]> {
  const terms = { subject: one.id, audience: two.id, expiresAt: inSeconds(30), invoke: ['/test/invoke'], ...request }
  const tokens = await from.present({ target: to.did, now: NOW, ...terms })
  const caller = terms.subject === one.id ? one : two
  const called = caller === one ? two : one
  const claim = { subject: caller.did, audience: called.did, capabilities: terms.invoke, tokens }
  successOf(to.authorize(claim, NOW))
  return tokens
}

test('TestBasicUCAN: an invocation and the reply that it allows', async () => {
  const root = contextOf(1)
  const a1 = await contextUnder(root, 2, ['/test/invoke'])
  const a2 = await contextUnder(root, 3, ['/test/invoke'])
  const received = await exchange(a1, a2, { delegate: ['/test/reply'] })
  await exchange(a2, a1, { subject: two.id, audience: one.id, expiresAt: inSeconds(20), invoke: ['/test/reply'], received })
})

test('TestBasicUCAN: a reply without the tokens of the request is refused', async () => {
  const root = contextOf(1)
  const a1 = await contextUnder(root, 2, ['/test/invoke'])
  const a2 = await contextUnder(root, 3, ['/test/invoke'])
  await exchange(a1, a2, { delegate: ['/test/reply'] })
  await expect(exchange(a2, a1, { subject: two.id, audience: one.id, invoke: ['/test/reply'] })).rejects.toThrow('no-chain')
})

test('TestTokenDiscard: nothing of an allowed message is left for the next one', async () => {
  const root = contextOf(1)
  const a1 = await contextUnder(root, 2, ['/test/invoke'])
  const a2 = await contextUnder(root, 3, ['/test/invoke'])
  await exchange(a1, a2, {})
  const claim = { subject: one.did, audience: two.did, capabilities: ['/test/invoke'], tokens: [] }
  expect(errorOf(a2.authorize(claim, NOW)).reason).toBe('no-tokens')
})

test('TestReciprocalUCAN: members of two organizations that trust each other', async () => {
  const [r1, r2] = [contextOf(1), contextOf(4)]
  const a1 = await contextUnder(r1, 2, ['/test/invoke'])
  const a2 = await contextUnder(r2, 3, ['/test/invoke'])
  await expect(exchange(a1, a2, {})).rejects.toThrow('not-anchored')
  const terms = { capabilities: ['/test/invoke'], expiresAt: inSeconds(120) }
  successOf(a1.anchor({ kind: 'require', token: await r1.grant({ subject: r2.did, ...terms }) }, NOW))
  successOf(a2.anchor({ kind: 'require', token: await r2.grant({ subject: r1.did, ...terms }) }, NOW))
  const received = await exchange(a1, a2, { delegate: ['/test/reply'] })
  await exchange(a2, a1, { subject: two.id, audience: one.id, invoke: ['/test/reply'], received })
  await exchange(a2, a1, { subject: two.id, audience: one.id })
})

test('TestDelegationDepth: a delegation of depth 1 carries invocations and broadcasts, but no delegation', async () => {
  const [r1, r2, r3] = [contextOf(1), contextOf(2), contextOf(3)]
  const token = await grantOf(r1, { subject: r2.did, topics: ['/broadcast/test'], depth: 1n })
  successOf(r2.anchor({ kind: 'provide', token }, NOW))
  const message = { subject: one.id, expiresAt: inSeconds(30), now: NOW }
  const invocations = await r2.present({ ...message, target: r3.did, audience: two.id, invoke: ['/test'] })
  const broadcasts = await r2.presentBroadcast({ ...message, topic: '/broadcast/test', capabilities: ['/test'] })
  expect([...invocations, ...broadcasts].map(({ action, chain }) => [action, chain])).toEqual([
    ['invoke', token],
    ['invoke', undefined],
    ['broadcast', token],
    ['broadcast', undefined]
  ])
  const request = { subject: r3.did, topics: ['/broadcast/test'], capabilities: ['/test'], expiresAt: inSeconds(30) }
  await expect(r2.delegate(request, NOW)).rejects.toMatchObject({ code: 'UCAN_NOT_DELEGABLE' })
})

describe('TestAdversarialChains and TestDelegationChain', () => {
  const [bob, alice, joe] = [contextOf(1), contextOf(2), contextOf(3)]
  const joeActor = actorOf(3)
  const bobActor = actorOf(1)

  async function joesTokens(seconds: {
    readonly grant: number
    readonly delegation: number
    readonly message: number
  }): Promise<readonly Token[]> {
    const grant = await bob.grant({
      subject: alice.did,
      audience: bob.did,
      capabilities: ['/bob/hi'],
      expiresAt: inSeconds(seconds.grant)
    })
    const aliceNow = contextOf(2, { provide: [grant] })
    const request = { subject: joe.did, audience: bob.did, capabilities: ['/bob/hi'], expiresAt: inSeconds(seconds.delegation) }
    const provide = await aliceNow.delegate(request, NOW)
    const joeNow = contextOf(3)
    for (const token of provide) successOf(joeNow.anchor({ kind: 'provide', token }, NOW))
    const message = { subject: joeActor.id, audience: bobActor.id, expiresAt: inSeconds(seconds.message) }
    return joeNow.present({ target: bob.did, invoke: ['/bob/hi'], now: NOW, ...message })
  }

  const ask = (tokens: readonly Token[], now: Millis) =>
    bob.authorize({ subject: joe.did, audience: bob.did, capabilities: ['/bob/hi'], tokens }, now)

  test('expired: allowed at first, refused three seconds later', async () => {
    const tokens = await joesTokens({ grant: 10, delegation: 5, message: 3 })
    expect(successOf(ask(tokens, NOW)).origin).toBe(joe.did)
    expect(ask(tokens, millis(NOW + 3000)).ok).toBe(true)
    expect(errorOf(ask(tokens, millis(NOW + 3001))).reason).toBe('expired')
  })

  test('invalid: a delegation on a changed grant cannot be anchored', async () => {
    const grant = await bob.grant({ subject: alice.did, audience: bob.did, capabilities: ['/bob/hi'], expiresAt: inSeconds(10) })
    const changed = { ...grant, capabilities: ['/other-capability'] }
    const deceived = contextOf(2, { provide: [changed] })
    const request = { subject: joe.did, audience: bob.did, capabilities: ['/other-capability'], expiresAt: inSeconds(5) }
    const [token] = await deceived.delegate(request, NOW)
    if (token === undefined) throw new Error('expected a delegation')
    expect(errorOf(contextOf(3).anchor({ kind: 'provide', token }, NOW))).toMatchObject({
      reason: 'bad-signature',
      issuer: bob.did
    })
  })

  test('TestDelegationChain: the owner of the addressed context is the anchor of the chain', async () => {
    const tokens = await joesTokens({ grant: 110, delegation: 100, message: 90 })
    expect(successOf(ask(tokens, NOW))).toEqual({ capability: '/bob/hi', origin: joe.did, expiresAt: inSeconds(90) })
  })
})

describe('TestConsume: which chains are trusted', () => {
  async function setUp(): Promise<{
    readonly consumer: CapabilityContext
    readonly allow: (token: Token, subject: CapabilityContext) => string
  }> {
    const [root, extra, signed] = [contextOf(1), contextOf(4), contextOf(5)]
    const requirement = await signed.grant({ subject: signed.did, capabilities: ['/test/other-cap'], expiresAt: inSeconds(60) })
    const consumer = await contextUnder(root, 2, ['/test/invoke'])
    successOf(consumer.anchor({ kind: 'root', did: extra.did }, NOW))
    successOf(consumer.anchor({ kind: 'require', token: requirement }, NOW))
    const allow = (token: Token, subject: CapabilityContext): string => {
      const claim = { subject: subject.did, audience: consumer.did, capabilities: token.capabilities ?? [], tokens: [token] }
      const allowed = consumer.authorize(claim, NOW)
      return allowed.ok ? 'allowed' : allowed.error.reason
    }
    return { consumer, allow }
  }

  const origin = contextOf(3)
  /** A self-signed invocation of `issuer` by the actor that has the key of `subject`. */
  async function invocationBy(
    issuer: number,
    subject: CapabilityContext,
    audience: number,
    capability: string,
    seconds = 30
  ): Promise<Token> {
    const tokens = await contextOf(issuer).present({
      target: origin.did,
      subject: subject === origin ? actorOf(3).id : actorOf(2).id,
      audience: actorOf(audience).id,
      expiresAt: inSeconds(seconds),
      invoke: [capability],
      now: NOW
    })
    const [token] = tokens
    if (token === undefined) throw new Error('expected an invocation')
    return token
  }

  test('t2, t5, t6: the sender itself, more than the require anchor says, another audience, expired', async () => {
    const { allow } = await setUp()
    expect(allow(await invocationBy(3, origin, 2, '/test/invoke'), origin)).toBe('no-chain')
    expect(allow(await invocationBy(5, origin, 2, '/test/not-allowed'), origin)).toBe('wrong-capability')
    expect(allow(await invocationBy(5, origin, 3, '/test/other-cap'), origin)).toBe('wrong-audience')
    expect(allow(await invocationBy(4, origin, 2, '/test/invoke', -30), origin)).toBe('expired')
  })

  test('t1, t3, t4: the context itself, a root, a require anchor', async () => {
    const { consumer, allow } = await setUp()
    expect(allow(await invocationBy(2, consumer, 2, '/test/invoke'), consumer)).toBe('allowed')
    expect(allow(await invocationBy(4, origin, 2, '/test/invoke'), origin)).toBe('allowed')
    expect(allow(await invocationBy(5, origin, 2, '/test/other-cap'), origin)).toBe('allowed')
  })
})

test('TestRevokeCmd_Success: the revocation of a grant keeps issuer and subject', async () => {
  const user = contextOf(1)
  const grant = await user.grant({
    subject: 'did:key:z6MkwQpRz8b7vJY4N1k2',
    capabilities: ['/public'],
    expiresAt: toNanos(NOW) + 3_600_000_000_000n,
    depth: 1n
  })
  const revocation = await user.revoke(grant)
  expect(revocation).toMatchObject({
    action: 'revoke',
    issuer: grant.issuer,
    subject: grant.subject,
    nonce: grant.nonce,
    depth: 0n
  })
  await expect(contextOf(2).revoke(grant)).rejects.toMatchObject({ code: 'UCAN_NOT_ISSUER' })
  expect(keyOf(1).did).toBe(revocation.issuer)
})
