import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromUtf8 } from '../base/index.ts'
import { createVerifier } from '../identity/index.ts'
import { createAnchorSet, subsumes } from './anchor-set.ts'
import { implies, parseCapability } from './capability.ts'
import { verifyToken } from './chain.ts'
import { createContext, NO_ANCHORS } from './context.ts'
import { parseExpiry } from './expiry.ts'
import { contextOf, grantOf, inSeconds, keyOf, NOW, successOf } from './fixtures.ts'
import { encodeToken, encodeTokenList, linksOf, parseToken, parseTokens, signedBytes } from './token.ts'
import type { Claim, Token } from './types.ts'

/** Texts of the characters that JSON encoders treat in different ways, none of which a token may not hold. */
const difficultText = fc.string({
  unit: fc.constantFrom(
    'a',
    '/',
    '"',
    '\\',
    '<',
    '>',
    '&',
    '\u2028',
    '\u2029',
    '\ufffd',
    '\ufeff',
    '\u00a0',
    'é',
    '中',
    '😀',
    '\u{10ffff}',
    '́'
  ),
  maxLength: 12
})

const plain: Token = {
  action: 'delegate',
  issuer: 'did:key:a',
  subject: 'did:key:b',
  audience: '',
  topics: [],
  capabilities: ['/a'],
  nonce: new Uint8Array([1, 2, 3]),
  expiresAt: 5n,
  depth: 0n,
  signature: new Uint8Array([9])
}

describe('the text of a token', () => {
  test('comes back from every text that Go escapes in its own way, with the same signed bytes', () => {
    fc.assert(
      fc.property(fc.array(difficultText, { minLength: 1, maxLength: 3 }), difficultText, (texts, did) => {
        const token = {
          ...plain,
          issuer: did,
          audience: did,
          topics: texts.filter((text) => text !== ''),
          capabilities: texts.map((text) => `/${text}`),
          chain: { ...plain, subject: did }
        }
        const read = successOf(parseToken(encodeToken(token)))
        expect(read).toEqual(token)
        expect(fromUtf8(signedBytes(read))).toBe(fromUtf8(signedBytes(token)))
        expect(parseTokens(encodeTokenList([token, token]))).toEqual({ ok: true, value: [token, token] })
      })
    )
  })

  test('with a control character or half a surrogate pair anywhere in it is refused', () => {
    const bad = fc.constantFrom('\u0000', '\n', '\u001f', '\u007f', '\u0085', '\u009f', '\ud800', '\udfff')
    const places: readonly ((text: string) => Partial<Token>)[] = [
      (text) => ({ action: text }),
      (text) => ({ issuer: text }),
      (text) => ({ subject: text }),
      (text) => ({ audience: text }),
      (text) => ({ topics: ['/a', text] }),
      (text) => ({ capabilities: ['/a', `/${text}`] }),
      (text) => ({ chain: { ...plain, subject: text } })
    ]
    fc.assert(
      fc.property(difficultText, bad, difficultText, fc.constantFrom(...places), (before, character, after, place) => {
        // Written by JSON.stringify, which keeps a lone surrogate where Go's encoder writes U+FFFD.
        const marker = 'MARKER'
        const text = encodeToken({ ...plain, ...place(marker) })
        const quoted = JSON.stringify(before + character + after).slice(1, -1)
        expect(parseToken(text.replace(marker, () => quoted)).ok).toBe(false)
      })
    )
  })
})

describe('a chain', () => {
  const verifier = createVerifier()

  /** Four links, with everything set that a link can have. */
  async function signedChain(): Promise<Token> {
    let token = await grantOf(contextOf(1), {
      subject: keyOf(2).did,
      topics: ['/t'],
      depth: 5n,
      capabilities: ['/test', '/more']
    })
    for (const holder of [2, 3, 4]) {
      const context = contextOf(holder)
      context.anchor({ kind: 'provide', token }, NOW)
      const request = {
        subject: keyOf(holder + 1).did,
        topics: ['/t'],
        capabilities: ['/test'],
        expiresAt: inSeconds(60 - holder),
        depth: 5n
      }
      const [next] = await context.delegate(request, NOW)
      if (next === undefined) throw new Error('expected a delegation')
      token = next
    }
    return token
  }

  const other = keyOf(9).did

  const alterations: Readonly<Record<string, (link: Token, next: Token) => Partial<Token>>> = {
    action: ({ action }) => ({ action: action === 'delegate' ? 'invoke' : 'delegate' }),
    issuer: (_, { issuer, subject }) => ({ issuer: `${issuer === subject ? '' : issuer}x` }),
    'issuer, to another real key': () => ({ issuer: other }),
    subject: () => ({ subject: other }),
    audience: () => ({ audience: other }),
    'topics, to more': ({ topics }) => ({ topics: [...topics, '/u'] }),
    'topics, to none': () => ({ topics: [] }),
    'capabilities, to more': ({ capabilities }) => ({ capabilities: [...(capabilities ?? []), '/x'] }),
    'capabilities, to all': () => ({ capabilities: ['/'] }),
    'capabilities, to null': () => ({ capabilities: null }),
    nonce: ({ nonce }) => ({ nonce: Uint8Array.from([...(nonce ?? []), 0]) }),
    'nonce, to null': () => ({ nonce: null }),
    'expiry, by a nanosecond up': ({ expiresAt }) => ({ expiresAt: expiresAt + 1n }),
    'expiry, by a nanosecond down': ({ expiresAt }) => ({ expiresAt: expiresAt - 1n }),
    'depth, to more': ({ depth }) => ({ depth: depth + 1n }),
    'depth, to unlimited': () => ({ depth: 0n }),
    'signature, to none': () => ({ signature: new Uint8Array() }),
    'signature, to that of another link': (_, { signature }) => ({ signature }),
    'signature, to a longer one': ({ signature }) => ({ signature: Uint8Array.from([...signature, 0]) })
  }

  test.each(Object.entries(alterations))('does not verify with another %s, in whichever link', async (_, alter) => {
    const token = await signedChain()
    const links = linksOf(token)
    expect(verifyToken(token, inSeconds(0), { verifier })).toMatchObject({ ok: true })
    for (let level = 0; level < links.length; level += 1) {
      const altered = alterLink(token, level, (link) => alter(link, links[(level + 1) % links.length] ?? link))
      expect(verifyToken(altered, inSeconds(0), { verifier }).ok, `link ${level}`).toBe(false)
    }
  })

  test('does not verify without one of its links, or with one twice', async () => {
    const token = await signedChain()
    const links = linksOf(token)
    const chainOf = (parts: readonly Token[]): Token | undefined =>
      parts
        .toReversed()
        .reduce<Token | undefined>((chain, { chain: _, ...link }) => (chain === undefined ? link : { ...link, chain }), undefined)
    for (let level = 0; level < links.length; level += 1) {
      const shorter = chainOf(links.toSpliced(level, 1))
      const longer = chainOf(links.toSpliced(level, 0, ...links.slice(level, level + 1)))
      // Without its first link a chain is the chain that its holder was given, which is valid.
      if (shorter !== undefined) expect(verifyToken(shorter, inSeconds(0), { verifier }).ok).toBe(level === 0)
      if (longer !== undefined) expect(verifyToken(longer, inSeconds(0), { verifier }).ok).toBe(false)
    }
  })

  function alterLink(token: Token, level: number, alter: (link: Token) => Partial<Token>): Token {
    if (level === 0 || token.chain === undefined) return { ...token, ...alter(token) }
    return { ...token, chain: alterLink(token.chain, level - 1, alter) }
  }
})

describe('implies', () => {
  const capability = fc.oneof(
    fc.constant('/'),
    fc
      .array(fc.constantFrom('a', 'ab', 'b', 'A', 'é', '*'), { minLength: 1, maxLength: 4 })
      .map((segments) => `/${segments.join('/')}`)
  )

  test('is an order on valid capabilities: reflexive, antisymmetric, transitive, with / at its top', () => {
    fc.assert(
      fc.property(capability, capability, capability, (a, b, c) => {
        expect(parseCapability(a).ok).toBe(true)
        expect(implies(a, a)).toBe(true)
        expect(implies('/', a)).toBe(true)
        if (implies(a, b) && implies(b, a)) expect(a).toBe(b)
        if (implies(a, b) && implies(b, c)) expect(implies(a, c)).toBe(true)
      }),
      { numRuns: 2000 }
    )
  })

  test('holds exactly where the segments of one begin the other', () => {
    const segments = (path: string): readonly string[] => path.split('/').filter((segment) => segment !== '')
    fc.assert(
      fc.property(capability, capability, (a, b) => {
        const [given, wanted] = [segments(a), segments(b)]
        expect(implies(a, b)).toBe(given.every((segment, index) => segment === wanted[index]))
      }),
      { numRuns: 2000 }
    )
  })
})

describe('subsumes', () => {
  const [owner, holder, caller, place] = [keyOf(1).did, keyOf(2).did, keyOf(3).did, keyOf(4).did]
  const [ownerKey, otherKey] = [keyOf(1), keyOf(5)]
  /** Signatures are not the matter here. */
  const trusting = { verify: () => true }
  const paths = fc.option(fc.subarray(['/', '/a', '/a/b', '/c']), { freq: 8 })
  const grants = fc.record({
    action: fc.constantFrom('delegate', 'delegate', 'delegate', 'invoke'),
    issuer: fc.constant(owner as string),
    subject: fc.constant(holder as string),
    audience: fc.constantFrom('', '', place as string, caller as string),
    topics: fc.subarray(['/', '/t', '/t/u']),
    capabilities: paths,
    nonce: fc.constant(new Uint8Array(12)),
    expiresAt: fc.constantFrom(inSeconds(60), inSeconds(90)),
    depth: fc.constantFrom(0n, 1n, 2n, 3n),
    signature: fc.constant(new Uint8Array([1]))
  })
  /** Some members of another grant: the result is often less than the original. */
  const weakenings = fc
    .tuple(grants, fc.subarray(['audience', 'topics', 'capabilities', 'expiresAt', 'depth'] as const))
    .map(([other, names]): Partial<Token> => Object.fromEntries(names.map((name) => [name, other[name]])))
  const uses = fc.record({
    action: fc.constantFrom('invoke', 'broadcast'),
    audience: fc.constantFrom('', place as string),
    topics: fc.subarray(['/t', '/t/u', '/v']),
    capabilities: fc.subarray(['/a', '/a/b', '/c', '/d'], { minLength: 1 }),
    expiresAt: fc.constantFrom(inSeconds(50), inSeconds(70)),
    wanted: fc.constantFrom('/a', '/a/b', '/a/b/x', '/c', '/d'),
    topic: fc.constantFrom(undefined, '/t', '/t/u', '/v')
  })

  /** A use of the grant by its holder, directly or through one more link. */
  function useOf({ wanted: _, topic: __, ...claimed }: Use, chain: Token | undefined): Token {
    const base = { ...plain, ...claimed, issuer: holder, subject: caller }
    return chain === undefined ? base : { ...base, chain }
  }

  function allows(roots: readonly Token[], use: Use, token: Token): boolean {
    const isChained = token.chain !== undefined
    const anchors = isChained ? { ...NO_ANCHORS, roots: [owner] } : { ...NO_ANCHORS, require: roots }
    const context = createContext({ signer: isChained ? otherKey : ownerKey, verifier: trusting, anchors })
    const { wanted, topic } = use
    const claim: Claim = {
      subject: caller,
      audience: place,
      capabilities: [wanted],
      tokens: [token],
      ...(topic === undefined ? {} : { topic })
    }
    return context.authorize(claim, NOW).ok
  }

  type Use = typeof uses extends fc.Arbitrary<infer Value> ? Value : never

  test('is sound: what the lesser one allows, as an anchor or at the root of a chain, the greater one allows', () => {
    let [compared, allowed] = [0, 0]
    fc.assert(
      fc.property(grants, weakenings, fc.array(uses, { minLength: 5, maxLength: 5 }), (a, weaken, list) => {
        const b = { ...a, ...weaken }
        if (!subsumes(a, b)) return
        compared += 1
        for (const use of list) {
          if (allows([b], use, useOf(use, undefined))) {
            allowed += 1
            expect(allows([a], use, useOf(use, undefined))).toBe(true)
          }
          if (allows([], use, useOf(use, b))) {
            allowed += 1
            expect(allows([], use, useOf(use, a))).toBe(true)
          }
        }
      }),
      { numRuns: 1500 }
    )
    expect(compared).toBeGreaterThan(50)
    expect(allowed).toBeGreaterThan(20)
  })

  test('is an order: reflexive and transitive; and a set keeps no token that another one subsumes', () => {
    fc.assert(
      fc.property(grants, grants, grants, (a, b, c) => {
        expect(subsumes(a, a)).toBe(true)
        if (subsumes(a, b) && subsumes(b, c)) expect(subsumes(a, c)).toBe(true)
        const set = createAnchorSet(NO_ANCHORS)
        for (const token of [a, b, c]) set.add({ kind: 'provide', token }, NOW, trusting)
        const { provide } = set.list()
        for (const token of provide) expect(provide.filter((other) => other !== token && subsumes(other, token))).toEqual([])
      }),
      { numRuns: 2000 }
    )
  })
})

describe('parseExpiry', () => {
  const two = (bound: number): fc.Arbitrary<string> => fc.nat(bound).map((number) => String(number).padStart(2, '0'))
  const zone = fc.oneof(
    fc.constantFrom('Z', 'UTC', 'GMT', '+0000', '-2359', '+14:00'),
    fc.tuple(fc.constantFrom('+', '-'), two(99), two(99)).map(([sign, h, m]) => `${sign}${h}:${m}`)
  )
  const year = fc.oneof(
    fc.nat(9999).map((number) => String(number).padStart(4, '0')),
    fc.constantFrom('1969', '1970', '2261', '2262', '2263')
  )
  const dates = fc
    .tuple(year, two(14), two(33), two(26), two(61), two(61), zone, fc.nat(999_999_999))
    .chain(([y, mo, d, h, mi, s, z, f]) =>
      fc.constantFrom(
        `${y}-${mo}-${d}`,
        `${y}-${mo}-${d} ${h}:${mi}:${s}`,
        `${y}-${mo}-${d}T${h}:${mi}:${s}${z}`,
        `${y}-${mo}-${d}T${h}:${mi}:${s}.${f}${z}`,
        `${d} Dec ${y.slice(2)} ${h}:${mi} ${z}`
      )
    )

  test('never wraps around: an instant is where the calendar has it, between 1970 and 2262, or it is refused', () => {
    let read = 0
    fc.assert(
      fc.property(dates, (text) => {
        const expiry = parseExpiry(text)
        if (!expiry.ok) return
        read += 1
        expect(expiry.value).toBeGreaterThanOrEqual(0n)
        expect(expiry.value).toBeLessThan(2n ** 63n)
        const iso = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text.replace(/^(\S{10}) (\S{8})$/, '$1T$2Z')
        if (!text.includes(' Dec ')) expect(Date.parse(iso)).toBe(Number(expiry.value / 1_000_000n))
      }),
      { numRuns: 5000 }
    )
    expect(read).toBeGreaterThan(100)
  })

  test('never throws', () => {
    fc.assert(fc.property(fc.string({ maxLength: 40 }), (text) => typeof parseExpiry(text).ok === 'boolean'))
  })
})
