import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { bytesEqual, encodeBase58, encodeHex } from '../../../src/base/index.ts'
import { CBOR, encodeHead, encodeString } from '../../../src/identity/cbor.ts'
import {
  actorIdOf,
  didMethod,
  didOf,
  didOfActorId,
  encodeActorId,
  type KeyType,
  type PublicKey,
  parseActorId,
  parseDid,
  peerIdOf,
  publicKeyOf,
  publicKeyOfPeerId,
  verifySignature
} from '../../../src/identity/index.ts'
import actorVectors from '../../../test/vectors/actor.json' with { type: 'json' }
import vectors from '../../../test/vectors/identity.json' with { type: 'json' }
import type { Chance } from '../chance.ts'
import { mutateText } from '../mutate-text.ts'
import { createSigner } from '../signers.ts'
import { ACCEPTED, type FuzzTarget, must, type Outcome, rejected } from '../target.ts'

/** What is fuzzed; a test puts broken readers in its place. */
export interface DidSubject {
  readonly publicKeyOf: typeof publicKeyOf
  readonly parseActorId: typeof parseActorId
  readonly publicKeyOfPeerId: typeof publicKeyOfPeerId
}

const TYPES: readonly KeyType[] = ['ed25519', 'secp256k1', 'eth', 'cardano']

/** Multicodec prefixes: ours, those of other key types, and ours as varints that are longer than needed. */
const PREFIXES: readonly string[] = [
  'ed01',
  'e701',
  '81de03',
  '82de03',
  'ed8100',
  'ed818000',
  'e78100',
  '81de8300',
  'ec01',
  '8024',
  'eb01',
  '1205',
  '00',
  ''
]

const MESSAGE = Buffer.from('dms:token:{}')

/** DIDs, actor ids and peer ids: never throws; each key has exactly one text of each kind, and is a point of its curve. */
export function createDidTarget(subject: DidSubject = { publicKeyOf, parseActorId, publicKeyOfPeerId }): FuzzTarget {
  return {
    name: 'did',
    about: 'DIDs, actor ids and peer ids: one text for each key, every key on its curve',
    async open(chance) {
      const keys = TYPES.flatMap((type) => [1, 2, 3].map(() => keyOf(createSigner(type, chance).did)))
      const texts = [
        ...keys.map(didOf),
        ...keys.flatMap((key) => {
          const id = actorIdOf(key)
          return id.ok ? [encodeActorId(id.value), peerIdOf(key)] : []
        }),
        ...vectors.didKey.map(({ did }) => did),
        ...vectors.didParse.map(({ input }) => input),
        ...actorVectors.identities.items.flatMap((item) => [item.did, item.id_string_base32, item.peer_id]),
        'did:prism:9b5118411248d9663b6ab15128fba8106511230ff654e7514cdcc4ce919bde9b',
        'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'
      ]
      return {
        make: (choice) => makeName(choice, texts, keys),
        check: (text) => checkName(text, subject),
        dispose: async () => undefined
      }
    }
  }
}

function keyOf(did: string): PublicKey {
  const key = publicKeyOf(did)
  if (!key.ok) throw new Error(`the corpus has a bad DID: ${key.error.message}`)
  return key.value
}

function makeName(chance: Chance, texts: readonly string[], keys: readonly PublicKey[]): string {
  const choice = chance.int(8)
  if (choice === 0) return chance.pick(texts)
  if (choice < 4) return mutateText(chance.pick(texts), chance, texts)
  return encodedKey(chance, chance.pick(keys))
}

/** Another kind of key, another form of the same key, or nearly a key, in right base58. */
function encodedKey(chance: Chance, { type, bytes }: PublicKey): string {
  const raw = chance.pick([
    () => bytes,
    () => altered(chance, bytes),
    () => otherForm(chance, type, bytes),
    () => chance.bytes(chance.int(70))
  ])()
  const [identity, codec] = [chance.oneIn(3), Buffer.from(chance.pick(PREFIXES), 'hex')]
  const message = Uint8Array.from([0x08, chance.int(5), 0x12, chance.oneIn(4) ? chance.int(256) : raw.length, ...raw])
  if (identity) return encodeBase58(Uint8Array.from([0x00, chance.oneIn(4) ? chance.int(256) : message.length, ...message]))
  return `did:key:${chance.oneIn(16) ? 'f' : 'z'}${encodeBase58(Uint8Array.from([...codec, ...raw]))}`
}

function altered(chance: Chance, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[chance.int(copy.length)] = chance.int(256)
  return copy
}

/** The uncompressed or hybrid point, or the COSE_Key, that names the same key. */
function otherForm(chance: Chance, type: KeyType, bytes: Uint8Array): Uint8Array {
  if (type === 'cardano' || type === 'ed25519') {
    const cose = Buffer.concat([encodeHead(CBOR.map, 4), Buffer.from('01010327200621', 'hex'), encodeString(bytes)])
    return Uint8Array.from(cose)
  }
  const point = Uint8Array.from(secp256k1.Point.fromBytes(bytes).toBytes(false))
  if (chance.oneIn(2)) point[0] = 6 + chance.int(2)
  return point
}

function checkName(text: string, subject: DidSubject): Outcome {
  const did = parseDid(text)
  if (did.ok) must(did.value === text && didMethod(did.value) !== '', 'a DID is kept as it is and has a method')
  const results = [checkDidKey(text, subject), checkActorId(text, subject), checkPeerId(text, subject)]
  const refusals = results.filter((result) => result !== undefined)
  must(refusals.length >= 2, 'no text is a name of two kinds')
  if (refusals.length < results.length) return ACCEPTED
  const [asDid, asActorId, asPeerId] = refusals
  const reason = text.startsWith('did:') ? asDid : text.startsWith('12D3') || text.startsWith('16U') ? asPeerId : asActorId
  return rejected(reason ?? '')
}

/** @returns Why the text is refused, if it is. */
function checkDidKey(text: string, { publicKeyOf }: DidSubject): string | undefined {
  const key = publicKeyOf(text)
  if (!key.ok) return key.error.message
  must(parseDid(text).ok, 'what names a key is a DID')
  must(didOf(key.value) === text, 'each key has one DID')
  checkPoint(key.value)
  must(!verifySignature(text, MESSAGE, new Uint8Array(64).fill(7)), 'no key accepts a signature that nobody made')
  return undefined
}

function checkActorId(text: string, { parseActorId }: DidSubject): string | undefined {
  const id = parseActorId(text)
  if (!id.ok) return id.error.message
  must(encodeActorId(id.value) === text, 'each actor id has one text')
  const did = didOfActorId(id.value)
  must(did.ok, 'each actor id has a DID')
  const key = publicKeyOf(did.value)
  must(key.ok, 'the DID of an actor id names a key')
  const again = actorIdOf(key.value)
  must(again.ok && bytesEqual(again.value, id.value), 'each key has one actor id')
  checkPoint(key.value)
  return undefined
}

function checkPeerId(text: string, { publicKeyOfPeerId }: DidSubject): string | undefined {
  const key = publicKeyOfPeerId(text)
  if (!key.ok) return key.error.message
  must(peerIdOf(key.value) === text, 'each key has one peer id')
  checkPoint(key.value)
  return undefined
}

/** Ed25519 keys are not decompressed until they are used (A §3.2): there, the length is all that a key must have. */
function checkPoint({ type, bytes }: PublicKey): void {
  if (type === 'ed25519' || type === 'cardano') must(bytes.length === ed25519.lengths.publicKey, 'an Ed25519 key has 32 bytes')
  else
    must(
      secp256k1.utils.isValidPublicKey(bytes, true),
      `a ${type} key is a compressed point of the curve, not ${encodeHex(bytes)}`
    )
}
