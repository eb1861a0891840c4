import { describe, expect, test } from 'vitest'
import vectors from '../../test/vectors/identity.json' with { type: 'json' }
import { fromUtf8, millis, parseGoDuration } from '../base/index.ts'
import { createVerifier } from '../identity/index.ts'
import { createContext } from './context.ts'
import { encodeContextFile, parseContextFile } from './context-file.ts'
import { errorOf, keyOf, NOW, successOf } from './fixtures.ts'
import {
  encodeToken,
  encodeTokenList,
  implies,
  parseExpiry,
  parseToken,
  parseTokenList,
  parseTokens,
  revocationKey,
  signedBytes,
  verifyToken
} from './index.ts'

const verifier = createVerifier()

describe('implies', () => {
  test.each(vectors.implies.cases)('$granted, $wanted', ({ granted, wanted, implies: expected }) => {
    expect(implies(granted, wanted)).toBe(expected)
  })
})

describe('tokens', () => {
  test.each(vectors.tokens.cases)('$name', ({ tokenJSON, tokenListJSON, signedBytesUtf8, sigHex }) => {
    const token = successOf(parseToken(tokenJSON))
    expect(encodeToken(token)).toBe(tokenJSON)
    expect(encodeTokenList([token])).toBe(tokenListJSON)
    expect(fromUtf8(signedBytes(token))).toBe(signedBytesUtf8)
    expect(Buffer.from(token.signature).toString('hex')).toBe(sigHex)
    expect(parseTokenList(tokenListJSON)).toEqual({ ok: true, value: [token] })
    expect(parseTokens(tokenJSON)).toEqual(parseTokens(tokenListJSON))
    expect(verifier.verify(token.issuer, signedBytes(token), token.signature)).toBe(true)
  })

  test('the revocation of the first token is made as the reference makes it', async () => {
    const caseOf = (name: string): string => vectors.tokens.cases.find((vector) => vector.name === name)?.tokenJSON ?? ''
    const user = createContext({ signer: keyOf(1) })
    const revocation = await user.revoke(successOf(parseToken(caseOf('grant-user-to-nunet'))))
    expect(encodeToken(revocation)).toBe(caseOf('revoke-grant-user-to-nunet'))
  })
})

describe('tokenVerify', () => {
  test.each(vectors.tokenVerify.cases)('$name', ({ tokenJSON, nowNanos, expected, revocationTokenJSON }) => {
    const revoked = revocationTokenJSON === undefined ? [] : [revocationKey(successOf(parseToken(revocationTokenJSON)))]
    const verified = verifyToken(successOf(parseToken(tokenJSON)), BigInt(nowNanos), { verifier, revocations: new Set(revoked) })
    if (expected === 'ok') expect(verified).toEqual({ ok: true, value: undefined })
    else expect(errorOf(verified).message).toContain(expected)
  })
})

/** Where we refuse token lists that the reference takes but never emits (A §7.3, §13), by input. */
const STRICTER_TOKENS: Readonly<Record<string, string>> = {
  '{"tok":[{"dms":{"ACT":"delegate","iss":{"URI":"did:key:x"},"sub":{},"aud":{},"cap":["/a"],"nonce":"ERER","exp":5,"extra":1}}],"foo":2}':
    'case variants and unknown members',
  '{"tok":[null]}': 'a null entry; it ends the process of the reference later (W1)',
  '{"tok":null}': 'null for a list; an empty list is {}',
  '{"tok":[{}]}': 'a token without content',
  '{"tok":[{"dms":{"act":"a","act":"b","iss":{"uri":"x"},"iss":{},"cap":["/a"],"cap":null}}]}': 'repeated members',
  '{"tok":[{"dms":{"exp":null,"iss":null,"cap":null,"nonce":null,"chain":null,"topic":[]}}]}': 'null where a value must be',
  '{"tok":[{"dms":{"nonce":"ER\\nER"}}]}': 'base64 with a line break; missing members',
  '{"tok":[{"dms":{"chain":{}}}]}': 'an empty chain; missing members',
  '{"tok":[{"dms":{"act":"\ufffd"}}]}': 'missing members'
}

describe('tokenDecode', () => {
  test.each(vectors.tokenDecode.cases)('$input', ({ input, reencoded }) => {
    const tokens = parseTokenList(input)
    const isExpected = reencoded !== undefined && STRICTER_TOKENS[input] === undefined
    expect(tokens.ok).toBe(isExpected)
    if (tokens.ok) expect(encodeTokenList(tokens.value)).toBe(reencoded)
  })
})

describe('capabilityContextFile', () => {
  const { emptyUserCap, dmsCap } = vectors.capabilityContextFile

  test.each([emptyUserCap, dmsCap.replace(/"revoke":.*$/s, '"revoke":{}}\n')])('reads and writes the same bytes: %#', (text) => {
    const content = successOf(parseContextFile(text, NOW, verifier))
    expect(content.notices).toEqual([])
    expect(encodeContextFile(content)).toBe(text)
  })

  test('sets aside the require anchor that its own revocation revokes, and keeps it in the file', () => {
    const content = successOf(parseContextFile(dmsCap, NOW, verifier))
    expect(content.anchors).toMatchObject({ require: [], provide: [{}], revoke: [{}] })
    expect(content.notices.map(({ message }) => message)).toEqual([expect.stringContaining('token has been revoked')])
    expect(encodeContextFile(content)).toBe(dmsCap)
  })

  test('sets aside all tokens of a file a moment after their expiry', () => {
    const content = successOf(parseContextFile(dmsCap, millis(4_102_444_800_001), verifier))
    expect(content.anchors).toMatchObject({ roots: [keyOf(1).did], require: [], provide: [], revoke: [] })
    expect(content.notices).toHaveLength(3)
  })
})

/** Where we refuse expiries that the reference takes, by input. */
const STRICTER_EXPIRIES: Readonly<Record<string, string>> = {
  '1960-01-01': 'before 1970: it wraps around to the year 2544 there (W10)'
}

describe('expiryFlag', () => {
  test.each(vectors.expiryFlag.cases)('$input', ({ input, uint64nanos }) => {
    const expiry = parseExpiry(input)
    expect(expiry.ok).toBe(uint64nanos !== undefined && STRICTER_EXPIRIES[input] === undefined)
    if (expiry.ok) expect(String(expiry.value)).toBe(uint64nanos)
  })
})

describe('durationFlag', () => {
  test.each(vectors.durationFlag.cases)('$input', ({ input, nanos }) => {
    const duration = parseGoDuration(input)
    expect(duration.ok).toBe(nanos !== undefined)
    if (duration.ok) expect(String(duration.value)).toBe(nanos)
  })
})

test('every entry of the tables of what we refuse is still needed', () => {
  const tokens = vectors.tokenDecode.cases.filter(({ reencoded }) => reencoded !== undefined).map(({ input }) => input)
  const expiries = vectors.expiryFlag.cases.filter(({ uint64nanos }) => uint64nanos !== undefined).map(({ input }) => input)
  expect(tokens).toEqual(expect.arrayContaining(Object.keys(STRICTER_TOKENS)))
  expect(expiries).toEqual(expect.arrayContaining(Object.keys(STRICTER_EXPIRIES)))
})
