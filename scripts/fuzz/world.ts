import { fromUtf8, type Millis, millis, toNanos } from '../../src/base/index.ts'
import { createVerifier, type KeyType, type Signer } from '../../src/identity/index.ts'
import { linksOf, parseTokens, signedBytes, type Token } from '../../src/ucan/index.ts'
import vectors from '../../test/vectors/identity.json' with { type: 'json' }
import type { Chance } from './chance.ts'
import { createSigner } from './signers.ts'

/** The instant at which all inputs are judged, 2024-09-27. */
export const NOW: Millis = millis(1_727_430_438_000)

/** The capabilities and topics that the trusted organizations gave to others; nothing else may ever be allowed. */
export const GRANTED = {
  capabilities: ['/public', '/broadcast', '/dms/node', '/dms/deployment'],
  topics: ['/nunet', '/team/a']
} as const

const TYPES: readonly KeyType[] = ['ed25519', 'secp256k1', 'eth', 'cardano']

const HOUR = 3_600_000_000_000n

/** Keys, valid chains of them, and every statement that a key has really signed. */
export interface World {
  /** One of each type; their first grants are the roots of all chains. */
  readonly organizations: readonly Signer[]
  /** Members, of all types; the chains go through them. */
  readonly members: readonly Signer[]
  /** An actor's key: the last subject of the chains. */
  readonly actor: Signer
  /** Somebody who was never granted anything. */
  readonly stranger: Signer
  /** Valid tokens with chains of one to eight links. */
  readonly tokens: readonly Token[]
  /** Token texts of the vectors, good and bad. */
  readonly vectorTexts: readonly string[]
  /** Whether the issuer of this link has really signed it. */
  isSigned(link: Token): boolean
  /** Signs, and remembers that for {@link World.isSigned}. */
  sign(token: Omit<Token, 'signature'>, signer: Signer): Promise<Token>
}

/** Makes the world of a seed. */
export async function createWorld(chance: Chance): Promise<World> {
  const signed = new Set<string>()
  const organizations = TYPES.map((type) => createSigner(type, chance))
  const members = [...TYPES, ...TYPES].map((type) => createSigner(type, chance))
  const actor = createSigner('ed25519', chance)
  const stranger = createSigner('ed25519', chance)

  const sign: World['sign'] = async (token, signer) => {
    const bytes = signedBytes(token)
    signed.add(fromUtf8(bytes))
    return { ...token, signature: await signer.sign(bytes) }
  }

  const tokens: Token[] = []
  for (const root of organizations) {
    for (let depth = 1; depth <= 8; depth += 1) tokens.push(await signChain({ root, depth, members, actor, chance, sign }))
  }
  for (const token of vectorTokens()) signed.add(fromUtf8(signedBytes(token)))
  return {
    organizations,
    members,
    actor,
    stranger,
    tokens,
    vectorTexts: vectorTexts(),
    isSigned: (link) => signed.has(fromUtf8(signedBytes(link))),
    sign
  }
}

interface ChainPlan extends Pick<World, 'members' | 'actor' | 'sign'> {
  readonly root: Signer
  readonly depth: number
  readonly chance: Chance
}

/** A grant of the root, handed on from member to member, each time for less, and used or granted once more at the end. */
async function signChain({ root, depth, members, actor, chance, sign }: ChainPlan): Promise<Token> {
  let issuer = root
  let chain: Token | undefined
  const use = depth === 1 ? 'delegate' : chance.pick(['delegate', 'invoke', 'invoke', 'broadcast'])
  const isBroadcast = use === 'broadcast'
  const hasTopics = chance.oneIn(3)
  for (let link = 1; link <= depth; link += 1) {
    const isLast = link === depth
    const holder = isLast ? actor : chance.pick(members)
    const left = depth - link
    chain = await sign(
      {
        action: isLast ? use : 'delegate',
        issuer: issuer.did,
        subject: holder.did,
        audience: !isBroadcast && isLast && chance.oneIn(3) ? actor.did : '',
        topics: isBroadcast || hasTopics ? (isLast ? ['/nunet'] : [...GRANTED.topics]) : [],
        capabilities: isLast ? ['/public/hello', '/dms/node/peers'] : [...GRANTED.capabilities],
        nonce: chance.bytes(12),
        expiresAt: toNanos(NOW) + BigInt(24 * 365 - link) * HOUR,
        depth: chance.oneIn(2) ? 0n : BigInt(left + 1),
        ...(chain === undefined ? {} : { chain })
      },
      issuer
    )
    issuer = holder
  }
  if (chain === undefined) throw new RangeError('a chain has at least one link')
  return chain
}

/** The tokens of the vectors that hold, link by link. */
function vectorTokens(): readonly Token[] {
  const verifier = createVerifier()
  return vectorTexts()
    .flatMap((text) => {
      const tokens = parseTokens(text)
      return tokens.ok ? tokens.value.flatMap(linksOf) : []
    })
    .filter((link) => verifier.verify(link.issuer, signedBytes(link), link.signature))
}

function vectorTexts(): readonly string[] {
  return [
    ...vectors.tokens.cases.flatMap(({ tokenJSON, tokenListJSON }) => [tokenJSON, tokenListJSON]),
    ...vectors.tokenVerify.cases.map(({ tokenJSON }) => tokenJSON),
    ...vectors.tokenDecode.cases.map(({ input }) => input)
  ]
}
