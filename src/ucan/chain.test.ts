import { describe, expect, test } from 'vitest'
import { createVerifier } from '../identity/index.ts'
import {
  allowsAction,
  allowsBroadcast,
  allowsDelegation,
  allowsInvocation,
  anchorDepth,
  describeNanos,
  expiresBefore,
  isAnchored,
  isWithinDepth,
  verifyToken
} from './chain.ts'
import { contextOf, errorOf, grantOf, inSeconds, keyOf } from './fixtures.ts'
import type { Token } from './types.ts'

const verifier = createVerifier()

function tokenOf(members: Partial<Token>): Token {
  return {
    action: 'delegate',
    issuer: 'did:key:issuer',
    subject: 'did:key:subject',
    audience: '',
    topics: [],
    capabilities: ['/test'],
    nonce: null,
    expiresAt: 100n,
    depth: 0n,
    signature: new Uint8Array(),
    ...members
  }
}

describe('a chain', () => {
  test('is expired as soon as one link is, but not at the very instant', () => {
    const token = tokenOf({ expiresAt: 200n, chain: tokenOf({ expiresAt: 100n }) })
    expect(expiresBefore(token, 101n)).toBe(true)
    expect(expiresBefore(token, 100n)).toBe(false)
  })

  test('is anchored at the issuer of any link, and the deepest counts', () => {
    const token = tokenOf({ issuer: 'x', chain: tokenOf({ issuer: 'y', chain: tokenOf({ issuer: 'x' }) }) })
    expect(isAnchored(token, 'z')).toBe(false)
    expect(anchorDepth(token, 'z')).toBe(-1)
    expect(isAnchored(token, 'y')).toBe(true)
    expect(anchorDepth(token, 'x')).toBe(2)
  })

  test('stays within the depth of every link', () => {
    const token = tokenOf({ chain: tokenOf({ depth: 1n }) })
    expect(isWithinDepth(token, 1)).toBe(false)
    expect(isWithinDepth(token, 0)).toBe(true)
  })
})

describe('an invocation', () => {
  const token = tokenOf({ action: 'invoke', subject: 's', audience: 'a' })

  test('is for its action, subject, audience and capabilities only', () => {
    expect(allowsInvocation({ ...token, action: 'delegate' }, 's', 'a', '/test')).toBe(false)
    expect(allowsInvocation(token, 'x', 'a', '/test')).toBe(false)
    expect(allowsInvocation(token, 's', 'x', '/test')).toBe(false)
    expect(allowsInvocation(token, 's', 'a', '/tests')).toBe(false)
    expect(allowsInvocation({ ...token, capabilities: null }, 's', 'a', '/test')).toBe(false)
    expect(allowsInvocation(token, 's', 'a', '/test/x')).toBe(true)
    expect(allowsInvocation({ ...token, audience: '' }, 's', 'x', '/test')).toBe(true)
  })
})

describe('a broadcast', () => {
  const token = tokenOf({ action: 'broadcast', subject: 's', topics: ['/t'] })

  test('is for its topics only and has no audience', () => {
    expect(allowsBroadcast({ ...token, audience: 'a' }, 's', '/t', '/test')).toBe(false)
    expect(allowsBroadcast({ ...token, topics: [] }, 's', '/t', '/test')).toBe(false)
    expect(allowsBroadcast(token, 's', '/other', '/test')).toBe(false)
    expect(allowsBroadcast(token, 's', '/t/sub', '/test')).toBe(true)
  })
})

describe('a delegation', () => {
  const query = { issuer: 'did:key:subject', audience: '', topics: [], expiresAt: 100n, capabilities: ['/test/a', '/test/b'] }

  test('carries only what it has, for its subject, and not longer than itself', () => {
    expect(allowsDelegation(tokenOf({ action: 'invoke' }), 'invoke', query)).toBe(false)
    expect(allowsDelegation(tokenOf({ expiresAt: 99n }), 'invoke', query)).toBe(false)
    expect(allowsDelegation(tokenOf({ subject: 'did:key:other' }), 'invoke', query)).toBe(false)
    expect(allowsDelegation(tokenOf({ audience: 'a' }), 'invoke', query)).toBe(false)
    expect(allowsDelegation(tokenOf({ capabilities: ['/test/a'] }), 'invoke', query)).toBe(false)
    expect(allowsDelegation(tokenOf({}), 'broadcast', { ...query, topics: ['/t'] })).toBe(false)
    expect(allowsDelegation(tokenOf({}), 'invoke', query)).toBe(true)
  })

  test('at its depth limit carries invocations, but no delegations that would be dead ends', () => {
    expect(allowsDelegation(tokenOf({ depth: 1n }), 'delegate', query)).toBe(false)
    expect(allowsDelegation(tokenOf({ depth: 1n }), 'invoke', query)).toBe(true)
    expect(allowsDelegation(tokenOf({ depth: 2n }), 'delegate', query)).toBe(true)
  })
})

describe('a require token', () => {
  const requirement = tokenOf({ subject: 'org', topics: ['/t'] })
  const token = tokenOf({
    action: 'invoke',
    issuer: 'member',
    capabilities: ['/test/x'],
    topics: ['/t'],
    chain: tokenOf({ issuer: 'org' })
  })

  test('does not let through what is elsewhere anchored, later, deeper, or more than it says', () => {
    expect(allowsAction({ ...requirement, subject: 'other' }, token)).toBe(false)
    expect(allowsAction({ ...requirement, subject: '' }, { ...token, issuer: '' })).toBe(false)
    expect(allowsAction({ ...requirement, action: 'invoke' }, token)).toBe(false)
    expect(allowsAction(requirement, { ...token, expiresAt: 101n })).toBe(false)
    expect(allowsAction({ ...requirement, depth: 1n }, { ...token, chain: tokenOf({ chain: tokenOf({ issuer: 'org' }) }) })).toBe(
      false
    )
    expect(allowsAction({ ...requirement, audience: 'here' }, token)).toBe(false)
    expect(allowsAction({ ...requirement, capabilities: ['/other'] }, token)).toBe(false)
    expect(allowsAction({ ...requirement, topics: [] }, token)).toBe(false)
    expect(allowsAction(requirement, token)).toBe(true)
    expect(allowsAction({ ...requirement, depth: 1n }, token)).toBe(true)
  })
})

describe('verifyToken', () => {
  test('refuses tokens without issuer or subject, which would match any key that has no DID', async () => {
    const grant = await grantOf(contextOf(1), { subject: keyOf(2).did })
    for (const changed of [
      { ...grant, subject: '' },
      { ...grant, issuer: '' }
    ]) {
      expect(errorOf(verifyToken(changed, inSeconds(0), { verifier })).reason).toBe('bad-token')
    }
  })

  test('refuses issuers that are no DIDs or have no key, and names them', async () => {
    const grant = await grantOf(contextOf(1), { subject: keyOf(2).did })
    expect(errorOf(verifyToken({ ...grant, issuer: 'nobody' }, inSeconds(0), { verifier }))).toMatchObject({
      reason: 'bad-token',
      issuer: 'nobody'
    })
    expect(errorOf(verifyToken({ ...grant, issuer: 'did:web:x' }, inSeconds(0), { verifier })).reason).toBe('bad-signature')
    expect(verifyToken(grant, inSeconds(0), { verifier }).ok).toBe(true)
  })
})

test('instants far away are told as numbers', () => {
  expect(describeNanos(2n ** 63n)).toBe('2262-04-11T23:47:16.854Z')
  expect(describeNanos(10n ** 21n)).toBe('1000000000000000000000 ns')
})
