import { fromUtf8, type Millis, millis, type Result, toNanos } from '../../../src/base/index.ts'
import { createVerifier, type Did, type Signer } from '../../../src/identity/index.ts'
import {
  type CapabilityContext,
  type Claim,
  createContext,
  type Denial,
  encodeToken,
  encodeTokenList,
  linksOf,
  MAX_LINKS,
  MAX_TOKEN_LIST_BYTES,
  MAX_TOKENS,
  parseToken,
  parseTokenList,
  parseTokens,
  type SignatureVerifier,
  signedBytes,
  type Token,
  verifyToken
} from '../../../src/ucan/index.ts'
import { isAttenuated } from '../attenuation.ts'
import type { Chance } from '../chance.ts'
import { mutateJson } from '../mutate-json.ts'
import { mutateText } from '../mutate-text.ts'
import { createRememberingVerifier } from '../remembering-verifier.ts'
import { ACCEPTED, type FuzzTarget, must, type Outcome, rejected } from '../target.ts'
import { createWorld, GRANTED, NOW, type World } from '../world.ts'

/** What is fuzzed; a test puts broken parts in their places. */
export interface TokenSubject {
  readonly verifier: SignatureVerifier
  readonly verifyToken: typeof verifyToken
}

/**
 * Token texts: parsing never throws and what it takes re-encodes to the same signed bytes; what verifies was signed by the keys it
 * names, link by link, and claims no more than each link was given; nothing that no organization gave is ever allowed.
 */
export function createTokenTarget(subject: Partial<TokenSubject> = {}): FuzzTarget {
  return {
    name: 'token',
    about: 'tokens and token lists: no altered token is accepted, none allows more than its chain',
    async open(chance) {
      const world = await createWorld(chance)
      const verifier = createRememberingVerifier(subject.verifier ?? createVerifier())
      const verify = (token: Token): Result<void, Denial> =>
        (subject.verifyToken ?? verifyToken)(token, toNanos(NOW), { verifier })
      const { organizations, actor } = world
      const context = createContext({
        signer: actor,
        verifier,
        anchors: { roots: organizations.map(({ did }) => did), require: [], provide: [], revoke: [] }
      })
      const attacks = await prepareAttacks(world, chance)
      const texts = [
        ...world.tokens.map(encodeToken),
        ...world.tokens.map((token) => encodeTokenList([token])),
        encodeTokenList(world.tokens.slice(0, 6)),
        ...world.vectorTexts
      ]
      return {
        make: (choice) => makeText(choice, texts, attacks),
        check: (text) => checkText(text, world, context, verify),
        dispose: async () => undefined
      }
    }
  }
}

function makeText(chance: Chance, texts: readonly string[], attacks: readonly string[]): string {
  const choice = chance.int(16)
  if (choice === 0) return chance.pick(texts)
  if (choice === 1) return chance.pick(attacks)
  const text = chance.oneIn(4) ? chance.pick(attacks) : chance.pick(texts)
  return choice < 6 ? mutateText(text, chance, texts) : mutateJson(text, chance, texts)
}

/** Tokens by which a member, rightly signing as itself, claims more than it was given, and those of a stranger. */
async function prepareAttacks(world: World, chance: Chance): Promise<readonly string[]> {
  const signers = new Map([...world.members, ...world.organizations, world.actor].map((signer) => [signer.did as string, signer]))
  const attacks: string[] = []
  for (const token of world.tokens) {
    const links = linksOf(token)
    const stolen = chance.pick(links)
    const holder = signers.get(stolen.subject) ?? world.actor
    for (const greed of GREEDS) {
      const claim = greed(greedyToken(holder, stolen, world.actor.did, chance), stolen, world)
      attacks.push(encodeToken(await world.sign(claim, holder)))
    }
    const forged = { ...greedyToken(world.stranger, stolen, world.actor.did, chance), chain: stolen }
    attacks.push(encodeToken(await world.sign(forged, world.stranger)))
  }
  return attacks
}

type Unsigned = Omit<Token, 'signature'>
type Greed = (token: Unsigned, stolen: Token, world: World) => Unsigned

/** What a member may try; every one of these must be refused where it goes beyond the grant. */
const GREEDS: readonly Greed[] = [
  (token) => token,
  (token) => ({ ...token, capabilities: ['/secret'] }),
  (token) => ({ ...token, capabilities: ['/'] }),
  (token) => ({ ...token, capabilities: ['/dms/nodexx'] }),
  (token) => ({ ...token, capabilities: [...GRANTED.capabilities, '/secret/x'] }),
  (token) => ({ ...token, action: 'broadcast', topics: ['/other'], audience: '' }),
  (token) => ({ ...token, action: 'broadcast', topics: ['/'], audience: '' }),
  (token) => ({ ...token, expiresAt: 2n ** 63n - 1n }),
  (token, _, { stranger }) => ({ ...token, issuer: stranger.did }),
  (token, _, { organizations }) => ({ ...token, issuer: organizations[0]?.did ?? '' }),
  (token, stolen) => ({ ...token, chain: { ...stolen, capabilities: ['/'] } }),
  (token, stolen) => ({ ...token, chain: { ...stolen, expiresAt: 2n ** 63n - 1n } }),
  (token, stolen) => ({ ...token, chain: { ...stolen, depth: 0n } }),
  (token, stolen) => ({ ...token, chain: { ...stolen, subject: token.issuer } }),
  (token, stolen) => ({ ...token, chain: { ...stolen, action: 'delegate' } })
]

function greedyToken(holder: Signer, stolen: Token, subject: Did, chance: Chance): Unsigned {
  return {
    action: 'invoke',
    issuer: holder.did,
    subject,
    audience: stolen.audience,
    topics: [],
    capabilities: ['/public/hello'],
    nonce: chance.bytes(12),
    expiresAt: stolen.expiresAt,
    depth: 0n,
    chain: stolen
  }
}

type Verify = (token: Token) => Result<void, Denial>

function checkText(text: string, world: World, context: CapabilityContext, verify: Verify): Outcome {
  const parsed = parseTokens(text)
  const [alone, list] = [parseToken(text), parseTokenList(text)]
  must(parsed.ok === (alone.ok || list.ok), 'a text is a token or a list when parseTokens reads it, and the other way round')
  must(!(alone.ok && list.ok), 'no text is both a token and a list')
  if (!parsed.ok) return rejected(parsed.error.message)
  const tokens = parsed.value
  checkLimits(text, tokens)
  checkStability(tokens)
  const refusals = tokens.flatMap((token) => checkVerification(token, world, verify))
  checkDecisions(tokens, world, context)
  return refusals.length === 0 ? ACCEPTED : rejected(refusals[0] ?? '')
}

function checkLimits(text: string, tokens: readonly Token[]): void {
  must(Buffer.byteLength(text) <= MAX_TOKEN_LIST_BYTES, 'a list is at most 16 KiB')
  must(tokens.length <= MAX_TOKENS, 'a list has at most 64 tokens')
  must(
    tokens.every((token) => linksOf(token).length <= MAX_LINKS),
    'a chain has at most 16 links'
  )
}

function checkStability(tokens: readonly Token[]): void {
  const encoded = encodeTokenList(tokens)
  // Escapes can make the text longer than what is read.
  if (Buffer.byteLength(encoded) > MAX_TOKEN_LIST_BYTES) return
  const again = parseTokenList(encoded)
  must(again.ok, 'what was encoded is read again')
  must(encodeTokenList(again.value) === encoded, 'encoding and reading again changes nothing')
  const bytesOf = (list: readonly Token[]): string =>
    list
      .flatMap(linksOf)
      .map((link) => fromUtf8(signedBytes(link)))
      .join('\n')
  must(bytesOf(again.value) === bytesOf(tokens), 'encoding and reading again keeps the signed bytes of every link')
}

function checkVerification(token: Token, world: World, verify: Verify): readonly string[] {
  const verified = verify(token)
  if (!verified.ok) return [verified.error.message]
  // A revocation counts without what is chained to it (A §7.6).
  const links = token.action === 'revoke' ? [token] : linksOf(token)
  must(links.every(world.isSigned), 'no altered token is accepted: every link that verifies was signed by its issuer')
  must(isAttenuated(token), 'no link of a chain that verifies claims more than it was given')
  must(
    links.every((link) => link.expiresAt >= toNanos(NOW)),
    'no expired token verifies'
  )
  return []
}

function checkDecisions(tokens: readonly Token[], world: World, context: CapabilityContext): void {
  const { actor, stranger, members, organizations } = world
  const invocation = { subject: actor.did, audience: actor.did, capabilities: ['/public/hello'], tokens }
  const allowed = context.authorize(invocation, NOW)
  if (allowed.ok) {
    const roots = new Set<string>([actor.did, ...organizations.map(({ did }) => did)])
    const isProven = (token: Token): boolean =>
      token.issuer === allowed.value.origin &&
      linksOf(token).every(world.isSigned) &&
      linksOf(token).some((link) => roots.has(link.issuer))
    must(tokens.some(isProven), 'an allowed claim has a token that an anchor stands behind')
  }
  const [member] = members
  const forbidden: readonly (readonly [string, Claim, Millis])[] = [
    ['a capability that nobody gave', { ...invocation, capabilities: ['/secret'] }, NOW],
    ['everything, which nobody gave', { ...invocation, capabilities: ['/'] }, NOW],
    ['a path that only begins like a capability', { ...invocation, capabilities: ['/dms/nodexx/y'] }, NOW],
    ['a topic that nobody gave', { ...invocation, topic: '/other' }, NOW],
    ['a caller without tokens', { ...invocation, subject: stranger.did }, NOW],
    [
      'another place than the token names',
      { ...invocation, audience: stranger.did, tokens: tokens.filter(({ audience }) => audience !== '') },
      NOW
    ],
    ['after the end of every grant', invocation, AFTER_ALL],
    ['another than the last holder', { ...invocation, subject: member?.did ?? stranger.did, capabilities: ['/secret'] }, NOW]
  ]
  for (const [what, claim, now] of forbidden) must(!context.authorize(claim, now).ok, `nothing is allowed for ${what}`)
}

/** Two years later: every chain of the world has ended; the tokens of the vectors lead to no anchor here. */
const AFTER_ALL: Millis = millis(NOW + 2 * 365 * 24 * 3_600_000)
