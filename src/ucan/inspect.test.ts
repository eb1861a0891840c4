import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toNanos } from '../base/index.ts'
import { createVerifier } from '../identity/index.ts'
import { allowsAction, type DelegationQuery, revocationKey, verifyToken } from './chain.ts'
import { contextOf, createCountingRandom, grantOf, inSeconds, keyOf, NOW } from './fixtures.ts'
import { firstProblem, inspectToken } from './inspect.ts'
import { createMint } from './mint.ts'
import { canCarry } from './present.ts'
import { carryProblems, trustProblems } from './reasons.ts'
import { linksOf } from './token.ts'
import type { Token } from './types.ts'

const verifier = createVerifier()

/** One link of a chain that may be wrong in every way. */
interface Terms {
  readonly signer: number
  readonly issuer: number
  readonly subject: number
  readonly audience: number
  readonly action: string
  readonly topics: readonly string[]
  readonly capabilities: readonly string[] | null
  readonly depth: number
  readonly seconds: number
}

const usually = <T>(value: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: fc.constantFrom(...others) })

const termsAt = (level: number): fc.Arbitrary<Terms> =>
  fc.record({
    signer: usually(level, 66),
    issuer: usually(level, 65),
    subject: usually(level + 1, 65),
    audience: usually(0, 70, 71),
    action: usually('delegate', 'invoke', 'revoke'),
    topics: usually<readonly string[]>(['/t'], [], ['/t/1']),
    capabilities: usually<readonly string[] | null>(['/a', '/b'], ['/a'], [], null, ['/a/1']),
    depth: usually(0, 1, 2, 5),
    seconds: usually(60, -1, 30, 90)
  })

/** Chains of the keys 31, 32, … that mostly hold. */
const chains: fc.Arbitrary<readonly Terms[]> = fc
  .integer({ min: 1, max: 5 })
  .chain((length) => fc.tuple(...Array.from({ length }, (_, index) => termsAt(31 + index))))

async function build(terms: readonly Terms[]): Promise<Token> {
  let chain: Token | undefined
  for (const { signer, issuer, subject, audience, action, topics, capabilities, depth, seconds } of terms) {
    const mint = createMint({ signer: keyOf(signer), random: createCountingRandom() })
    const unsigned = {
      action,
      issuer: keyOf(issuer).did,
      subject: keyOf(subject).did,
      audience: audience === 0 ? '' : keyOf(audience).did,
      topics,
      capabilities,
      nonce: Uint8Array.of(issuer, subject),
      expiresAt: inSeconds(seconds),
      depth: BigInt(depth),
      ...(chain === undefined ? {} : { chain })
    }
    chain = await mint.sign(unsigned)
  }
  if (chain === undefined) throw new Error('a chain has a link')
  return chain
}

describe('the reasons are the rules', () => {
  test('a token has a problem exactly when it does not verify', async () => {
    let good = 0
    await fc.assert(
      fc.asyncProperty(chains, fc.integer({ min: 0, max: 8 }), async (terms, revoked) => {
        const token = await build(terms)
        const link = linksOf(token)[revoked]
        const revocations = new Set(link === undefined ? [] : [revocationKey(link)])
        const inspection = inspectToken(token, { now: NOW, verifier, revocations })
        const verified = verifyToken(token, toNanos(NOW), { verifier, revocations })
        expect({ ok: firstProblem(inspection) === undefined }).toEqual({ ok: verified.ok })
        expect(inspection.denial).toEqual(verified.ok ? undefined : verified.error)
        if (verified.ok) good += 1
      }),
      { numRuns: 150 }
    )
    expect(good).toBeGreaterThan(5)
  })

  test('a delegation has a reason exactly when nothing can be built on it', async () => {
    const queries = fc.record({
      issuer: fc.constantFrom(32, 33, 34),
      audience: fc.constantFrom(0, 70),
      topics: fc.constantFrom([], ['/t'], ['/x']),
      seconds: fc.constantFrom(10, 60, 80),
      capabilities: fc.constantFrom(['/a'], ['/b/1'], ['/a', '/x'])
    })
    await fc.assert(
      fc.asyncProperty(chains, queries, fc.constantFrom('invoke' as const, 'delegate' as const), async (terms, asked, action) => {
        const token = await build(terms)
        const { issuer, audience, topics, seconds, capabilities } = asked
        const query: DelegationQuery = {
          issuer: keyOf(issuer).did,
          audience: audience === 0 ? '' : keyOf(audience).did,
          topics,
          expiresAt: inSeconds(seconds),
          capabilities
        }
        expect(carryProblems(token, action, query).length === 0).toBe(canCarry(token, action, query))
      }),
      { numRuns: 150 }
    )
  })

  test('a require anchor has a reason exactly when it does not allow a token', async () => {
    await fc.assert(
      fc.asyncProperty(chains, termsAt(20), fc.constantFrom(31, 32, 33, 65), async (terms, anchor, subject) => {
        const [token, requirement] = [await build(terms), await build([{ ...anchor, subject }])]
        expect(trustProblems(requirement, token).length === 0).toBe(allowsAction(requirement, token))
      }),
      { numRuns: 150 }
    )
  })
})

describe('inspectToken', () => {
  const organization = contextOf(20)

  test('says which link is signed by somebody else', async () => {
    const root = { ...(await grantOf(organization, { subject: keyOf(31).did })), signature: new Uint8Array(64) }
    const [token] = await contextOf(31, { provide: [root] }).delegate(
      { subject: keyOf(32).did, capabilities: ['/test'], expiresAt: inSeconds(30) },
      NOW
    )
    if (token === undefined) throw new Error('nothing was delegated')
    const inspection = inspectToken(token, { now: NOW, verifier })
    expect(inspection.links.map(({ number, isSignatureGood }) => [number, isSignatureGood])).toEqual([
      [1, false],
      [2, true]
    ])
    expect(firstProblem(inspection)).toMatchObject({ reason: 'bad-signature', link: 1 })
  })

  test('says how long and how deep a token reaches', async () => {
    const root = await grantOf(organization, { subject: keyOf(31).did, depth: 3n, expiresAt: inSeconds(50) })
    const [token] = await contextOf(31, { provide: [root] }).delegate(
      { subject: keyOf(32).did, capabilities: ['/test'], expiresAt: inSeconds(40) },
      NOW
    )
    if (token === undefined) throw new Error('nothing was delegated')
    expect(inspectToken(token, { now: NOW, verifier })).toMatchObject({ depthLeft: 2n, expiresAt: inSeconds(40) })
    expect(
      inspectToken(await grantOf(organization, { subject: keyOf(31).did }), { now: NOW, verifier }).depthLeft
    ).toBeUndefined()
  })
})
