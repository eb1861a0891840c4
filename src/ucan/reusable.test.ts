import { describe, expect, test } from 'vitest'
import { type Millis, millis, toNanos } from '../base/index.ts'
import { actorOf, contextOf, grantOf, inSeconds, keyOf, NOW, successOf } from './fixtures.ts'
import { createReusableTokens } from './reusable.ts'
import type { CapabilityContext, PresentRequest, Token } from './types.ts'

const organization = contextOf(1)

function at(seconds: number): Millis {
  return millis(NOW + seconds * 1000)
}

/** The tokens of a message that lives for 30 s. */
function messageAt(sender: CapabilityContext, seconds: number, changes: Partial<PresentRequest> = {}): Promise<readonly Token[]> {
  return sender.present({
    target: keyOf(2).did,
    subject: actorOf(30).id,
    audience: actorOf(2).id,
    invoke: ['/test'],
    expiresAt: inSeconds(seconds + 30),
    now: at(seconds),
    ...changes
  })
}

async function createSender(): Promise<{ readonly sender: CapabilityContext; readonly grant: Token }> {
  const grant = await grantOf(organization, { subject: keyOf(30).did, expiresAt: inSeconds(3600) })
  return { sender: contextOf(30, { provide: [grant] }), grant }
}

describe('fresh tokens are signed for a message', () => {
  test.each<readonly [string, Partial<PresentRequest>]>([
    ['of another actor', { subject: actorOf(31).id }],
    ['to another actor', { audience: actorOf(3).id }],
    ['to another context', { target: keyOf(3).did }],
    ['that asks for something else', { invoke: ['/test/other'] }],
    ['that allows a reply', { delegate: ['/reply'] }],
    ['that lives much longer than the one before', { expiresAt: inSeconds(60) }]
  ])('%s', async (_, changes) => {
    const { sender } = await createSender()
    const before = await messageAt(sender, 0)
    const tokens = await messageAt(sender, 0, changes)
    expect(tokens.some((token) => before.includes(token))).toBe(false)
  })

  test('when those of the one before end more than ten seconds, or a third of its time, earlier', async () => {
    const { sender } = await createSender()
    const first = await messageAt(sender, 0)
    expect(await messageAt(sender, 10)).toBe(first)
    expect(await messageAt(sender, 11)).not.toBe(first)
    const short = await messageAt(sender, 20, { invoke: ['/test/short'], expiresAt: inSeconds(23) })
    const next = { invoke: ['/test/short'], expiresAt: inSeconds(25) }
    expect(await messageAt(sender, 22, next)).not.toBe(short)
  })

  test('after an anchor was added, revoked or removed', async () => {
    const { sender, grant } = await createSender()
    const first = await messageAt(sender, 0)
    const another = await grantOf(contextOf(5), { subject: keyOf(30).did, expiresAt: inSeconds(3600) })
    successOf(sender.anchor({ kind: 'provide', token: another }, NOW))
    const second = await messageAt(sender, 0)
    expect(second).toHaveLength(first.length + 1)
    successOf(sender.anchor({ kind: 'revoke', token: await organization.revoke(grant) }, NOW))
    const third = await messageAt(sender, 0)
    expect(third.some(({ chain }) => chain === grant)).toBe(false)
    sender.remove({ kind: 'provide', token: another })
    expect(await messageAt(sender, 0)).toHaveLength(1)
  })
})

test('messages of a kind to one actor share their tokens, and none outlives the message it was signed for', async () => {
  const { sender } = await createSender()
  const first = await messageAt(sender, 0)
  expect(await messageAt(sender, 5)).toBe(first)
  expect(first.map(({ expiresAt }) => expiresAt)).toEqual(first.map(() => inSeconds(30)))
})

test('only so many purposes are remembered, those used last', () => {
  const memory = createReusableTokens(2)
  const signed = { tokens: [], provide: [], expiresAt: toNanos(at(30)) }
  const find = (purpose: string) => memory.find(purpose, [], toNanos(at(30)), NOW)
  for (const purpose of ['a', 'b']) memory.keep(purpose, signed)
  expect(find('a')).toBeDefined()
  memory.keep('c', signed)
  expect([find('a'), find('b'), find('c')].map((tokens) => tokens !== undefined)).toEqual([true, false, true])
})
