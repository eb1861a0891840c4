import { describe, expect, test } from 'vitest'
import { millis } from '../base/index.ts'
import { actorOf, contextOf, contextUnder, errorOf, inSeconds, keyOf, NOW, successOf } from './fixtures.ts'
import type { CapabilityContext, Claim, Token } from './types.ts'

const organization = contextOf(1)

async function setUp(): Promise<{ readonly context: CapabilityContext; readonly claim: Claim; readonly link: Token }> {
  const sender = await contextUnder(organization, 30, ['/test'])
  const [link] = sender.list(NOW).provide
  const tokens = await sender.present({
    target: keyOf(2).did,
    subject: actorOf(30).id,
    audience: actorOf(2).id,
    invoke: ['/test/a'],
    expiresAt: inSeconds(30),
    now: NOW
  })
  if (link === undefined) throw new Error('expected an anchor')
  const claim = { subject: keyOf(30).did, audience: keyOf(2).did, capabilities: ['/test/a'], tokens }
  const context = contextOf(2, { roots: [organization.did] })
  successOf(context.authorize(claim, NOW))
  return { context, claim, link }
}

describe('what was allowed a moment ago is refused', () => {
  test.each<readonly [string, Partial<Claim>, string]>([
    ['for another caller', { subject: keyOf(31).did }, 'wrong-subject'],
    ['at another place', { audience: keyOf(3).did }, 'wrong-audience'],
    ['for another capability', { capabilities: ['/other'] }, 'wrong-capability'],
    ['for more capabilities, none of which fits', { capabilities: ['/other', '/another'] }, 'wrong-capability'],
    ['as a broadcast', { topic: '/t' }, 'wrong-audience']
  ])('%s', async (_, changes, reason) => {
    const { context, claim } = await setUp()
    expect(errorOf(context.authorize({ ...claim, ...changes }, NOW)).reason).toBe(reason)
  })

  test('once a token has expired, not before', async () => {
    const { context, claim } = await setUp()
    expect(context.authorize(claim, millis(NOW + 30_000)).ok).toBe(true)
    expect(errorOf(context.authorize(claim, millis(NOW + 30_001))).reason).toBe('expired')
  })

  test('once a link is revoked, by an anchor or by what was learned', async () => {
    const { context, claim, link } = await setUp()
    const revocation = await organization.revoke(link)
    successOf(context.learn(revocation, NOW))
    expect(errorOf(context.authorize(claim, NOW)).reason).toBe('revoked')
    context.forget(revocation)
    expect(context.authorize(claim, NOW).ok).toBe(true)
    successOf(context.anchor({ kind: 'revoke', token: revocation }, NOW))
    expect(errorOf(context.authorize(claim, NOW)).reason).toBe('revoked')
  })

  test('once the anchor that allowed it is removed', async () => {
    const { context, claim } = await setUp()
    context.remove({ kind: 'root', did: organization.did })
    expect(errorOf(context.authorize(claim, NOW)).reason).toBe('not-anchored')
  })

  test('once the temporary grant that allowed it is withdrawn', async () => {
    const sender = contextOf(30)
    const tokens = await sender.present({
      target: keyOf(2).did,
      subject: actorOf(30).id,
      audience: actorOf(2).id,
      invoke: ['/test'],
      expiresAt: inSeconds(30),
      now: NOW
    })
    const claim = { subject: keyOf(30).did, audience: keyOf(2).did, capabilities: ['/test'], tokens }
    const context = contextOf(2)
    const withdraw = await context.grantHere({ subject: keyOf(30).did, capabilities: ['/test'], expiresAt: inSeconds(60) })
    for (let turn = 0; turn < 2; turn += 1) expect(context.authorize(claim, NOW).ok).toBe(true)
    withdraw()
    expect(context.authorize(claim, NOW).ok).toBe(false)
  })
})
