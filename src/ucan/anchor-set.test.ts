import { expect, test } from 'vitest'
import { subsumes } from './anchor-set.ts'
import { contextOf, grantOf, inSeconds, keyOf } from './fixtures.ts'
import type { Token } from './types.ts'

test('a token makes another superfluous only when it allows all of it', async () => {
  const token = await grantOf(contextOf(1), { subject: keyOf(2).did, audience: keyOf(3).did, topics: ['/t'], depth: 2n })
  const others: readonly Partial<Token>[] = [
    { action: 'revoke' },
    { issuer: keyOf(4).did },
    { subject: keyOf(4).did },
    { audience: '' },
    { topics: ['/u'] },
    { capabilities: ['/'] },
    { expiresAt: inSeconds(61) },
    { depth: 0n },
    { depth: 3n },
    { chain: token }
  ]
  expect(others.filter((members) => subsumes(token, { ...token, ...members }))).toEqual([])
  const weaker = { ...token, topics: ['/t/x'], capabilities: ['/test/x'], expiresAt: inSeconds(59), depth: 1n, nonce: null }
  expect(subsumes(token, weaker)).toBe(true)
  expect(subsumes({ ...token, depth: 0n, topics: ['/'] }, token)).toBe(true)
})
