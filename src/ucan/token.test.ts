import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../base/index.ts'
import { createVerifier } from '../identity/index.ts'
import { verifyToken } from './chain.ts'
import { contextOf, errorOf, grantOf, inSeconds, keyOf, NOW, successOf } from './fixtures.ts'
import {
  decodeTokenList,
  encodeToken,
  encodeTokenList,
  linksOf,
  MAX_LINKS,
  MAX_TOKEN_LIST_BYTES,
  MAX_TOKENS,
  parseToken,
  parseTokenList,
  parseTokens,
  sameToken
} from './token.ts'
import type { Token } from './types.ts'

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

/** `{"dms":{…}}` with some members replaced; `undefined` leaves one out. */
function textWith(members: Readonly<Record<string, unknown>>): string {
  const usual = { act: 'delegate', iss: { uri: 'did:key:a' }, sub: {}, aud: {}, cap: ['/a'], nonce: 'ERER', exp: 5 }
  return JSON.stringify({ dms: { ...usual, ...members } })
}

const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => !/[\p{Cc}\p{Cs}]/u.test(value))
const bytes = fc.uint8Array({ maxLength: 20 })
const { token: tokens } = fc.letrec<{ token: Token }>((tie) => ({
  token: fc
    .record({
      action: fc.constantFrom('delegate', 'invoke', 'broadcast', 'revoke'),
      issuer: text,
      subject: text,
      audience: text,
      topics: fc.array(
        text.map((value) => `/${value}`),
        { maxLength: 3 }
      ),
      capabilities: fc.option(
        fc.array(
          text.map((value) => `/${value}`),
          { maxLength: 3 }
        )
      ),
      nonce: fc.option(bytes),
      expiresAt: fc.bigInt(0n, 2n ** 63n - 1n),
      depth: fc.bigInt(0n, 2n ** 64n - 1n),
      chain: fc.option(tie('token'), { maxDepth: 4, nil: undefined }),
      signature: bytes
    })
    .map(({ chain, ...token }) => (chain === undefined ? token : { ...token, chain }))
}))

describe('parseToken', () => {
  test.each([
    ['a number', '5'],
    ['a text', '"x"'],
    ['null', 'null'],
    ['an empty token', '{"dms":{}}'],
    ['another kind of token', '{"ucan":{}}'],
    ['two kinds at once', `{"ucan":{},${textWith({}).slice(1)}`],
    ['a missing member', textWith({ aud: undefined })],
    ['an unknown member', textWith({ iat: 5 })],
    ['a member of a prototype', textWith({ constructor: 5 })],
    ['a case variant', textWith({ ACT: 'delegate' })],
    ['a DID as a text', textWith({ iss: 'did:key:a' })],
    ['an empty DID text', textWith({ sub: { uri: '' } })],
    ['an unknown member of a DID', textWith({ sub: { uri: 'did:key:a', x: 1 } })],
    ['a relative capability', textWith({ cap: ['public'] })],
    ['an empty capability', textWith({ cap: [''] })],
    ['a capability with a line break', textWith({ cap: ['/a\n'] })],
    ['a capability with half a surrogate pair', textWith({ cap: ['/\ud800'] })],
    ['an empty list of topics', textWith({ topic: [] })],
    ['an empty topic', textWith({ topic: [''] })],
    ['a null topic', textWith({ topic: null })],
    ['too many capabilities', textWith({ cap: new Array(65).fill('/a') })],
    ['a nonce without padding', textWith({ nonce: 'ERE' })],
    ['a nonce as a list', textWith({ nonce: [1, 2] })],
    ['an empty signature', textWith({ sig: '' })],
    ['a null chain', textWith({ chain: null })],
    ['an explicit depth of 0', textWith({ depth: 0 })],
    ['a negative expiry', textWith({ exp: -5 })],
    ['an expiry as a text', textWith({ exp: '5' })],
    ['an expiry that has wrapped around', textWith({}).replace('"exp":5', '"exp":18131124873709551616')],
    ['an expiry with a fraction', textWith({}).replace('"exp":5', '"exp":5.0')],
    ['an expiry with an exponent', textWith({}).replace('"exp":5', '"exp":5e0')],
    ['a negative zero', textWith({}).replace('"exp":5', '"exp":-0')],
    ['repeated members', textWith({}).replace('"exp":5', '"exp":5,"exp":5')],
    ['trailing text', `${textWith({})} x`]
  ])('refuses %s', (_, input) => {
    expect(parseToken(input).ok).toBe(false)
    expect(parseTokens(input).ok).toBe(false)
    expect(parseTokenList(`{"tok":[${input}]}`).ok).toBe(false)
  })

  test('refuses a chain longer than the limit', () => {
    const chainOf = (length: number): Token => (length === 1 ? plain : { ...plain, chain: chainOf(length - 1) })
    expect(errorOf(parseToken(encodeToken(chainOf(MAX_LINKS + 1)))).message).toContain('longer than 16 links')
    expect(linksOf(successOf(parseToken(encodeToken(chainOf(MAX_LINKS)))))).toHaveLength(MAX_LINKS)
  })

  test('names the place of what is wrong', () => {
    const list = `{"tok":[${textWith({})},${textWith({ chain: { dms: { exp: 5, x: 1 } } })}]}`
    expect(errorOf(parseTokenList(list)).path).toBe('tok.1.dms.chain.dms')
  })

  test('takes members in any order and any white space', () => {
    const reversed = Object.fromEntries(Object.entries(successOf(parseJson(encodeToken(plain).slice(7, -1))) ?? {}).toReversed())
    expect(parseToken(JSON.stringify({ dms: reversed }, null, '\t'))).toEqual({ ok: true, value: plain })
  })

  test('reads back every token that it writes', () => {
    fc.assert(
      fc.property(tokens, (token) => {
        expect(parseToken(encodeToken(token))).toEqual({ ok: true, value: token })
      })
    )
  })
})

describe('parseTokenList', () => {
  test('refuses more bytes, counted as UTF-8, than the reference takes', () => {
    const padded = (character: string, count: number): string => `{"tok":[${textWith({ act: character.repeat(count) })}]}`
    const least = padded('x', 0).length
    expect(errorOf(parseTokenList(padded('x', MAX_TOKEN_LIST_BYTES - least + 1))).message).toContain('capability blob too big')
    expect(parseTokenList(padded('é', MAX_TOKEN_LIST_BYTES / 2)).ok).toBe(false)
    expect(parseTokenList(padded('x', MAX_TOKEN_LIST_BYTES - least)).ok).toBe(true)
  })

  test('refuses too many tokens', () => {
    const list = (length: number): unknown => ({ tok: new Array(length).fill(JSON.parse(encodeToken(plain))) })
    expect(decodeTokenList(list(MAX_TOKENS + 1)).ok).toBe(false)
    expect(successOf(decodeTokenList(list(MAX_TOKENS)))).toHaveLength(MAX_TOKENS)
  })

  test.each(['{"tok":[]}', '{"tok":{}}', '{"tok":[],"x":1}', '[]', '{"dms":{}}'])('refuses %s', (input) => {
    expect(parseTokenList(input).ok).toBe(false)
  })

  test('never throws, whatever the JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (value, member) => {
        parseTokenList(JSON.stringify(value))
        parseTokenList(JSON.stringify({ tok: [value, { dms: member }] }))
        decodeTokenList({ tok: [JSON.parse(textWith({ cap: member, chain: value }))] })
      })
    )
  })

  test('reads the empty list', () => {
    expect(parseTokenList(encodeTokenList([]))).toEqual({ ok: true, value: [] })
  })
})

test('tokens are the same only with the same signature', () => {
  expect(sameToken(plain, { ...plain, signature: new Uint8Array([8]) })).toBe(false)
  expect(sameToken(plain, { ...plain, nonce: null })).toBe(false)
  expect(sameToken(plain, { ...plain })).toBe(true)
})

describe('a changed token', () => {
  const verifier = createVerifier()

  async function signedChain(): Promise<Token> {
    const issuer = contextOf(1)
    const holder = contextOf(2)
    holder.anchor({ kind: 'provide', token: await grantOf(issuer, { subject: holder.did, topics: ['/t'], depth: 3n }) }, NOW)
    const [token] = await holder.delegate(
      {
        subject: keyOf(3).did,
        audience: keyOf(4).did,
        topics: ['/t'],
        capabilities: ['/test/x'],
        expiresAt: inSeconds(30),
        depth: 2n
      },
      NOW
    )
    if (token === undefined) throw new Error('expected a delegation')
    return token
  }

  test('never verifies, whichever byte of its text was changed', async () => {
    const original = encodeToken(await signedChain())
    expect(verifyToken(successOf(parseToken(original)), inSeconds(0), { verifier })).toMatchObject({ ok: true })
    fc.assert(
      fc.property(fc.nat(original.length - 1), fc.integer({ min: 0x20, max: 0x7e }), (position, code) => {
        const changed = original.slice(0, position) + String.fromCharCode(code) + original.slice(position + 1)
        fc.pre(changed !== original)
        const token = parseToken(changed)
        expect(token.ok && verifyToken(token.value, inSeconds(0), { verifier }).ok).toBe(false)
      }),
      { numRuns: 300 }
    )
  })

  test('never verifies with a bit of a signature, its own or a chained one, turned over', async () => {
    const original = await signedChain()
    const flip = (signature: Uint8Array, bit: number): Uint8Array =>
      signature.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
    fc.assert(
      fc.property(fc.nat(511), fc.boolean(), (bit, inChain) => {
        const { chain } = original
        const changed =
          inChain && chain !== undefined
            ? { ...original, chain: { ...chain, signature: flip(chain.signature, bit) } }
            : { ...original, signature: flip(original.signature, bit) }
        expect(verifyToken(changed, inSeconds(0), { verifier }).ok).toBe(false)
      })
    )
  })
})
