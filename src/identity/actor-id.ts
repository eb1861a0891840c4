import { bytesEqual, decodeBase32, decodeBase58, encodeBase32, encodeBase58, type Issue, ok, type Result } from '../base/index.ts'
import { didOf } from './did-key.ts'
import { UnsupportedKeyError } from './errors.ts'
import { encodeKeyMessage, isActorKeyType, parseKeyMessage } from './key-protobuf.ts'
import { parsePublicKey } from './public-key.ts'
import { excerpt, refuse } from './refuse.ts'
import type { ActorId, Did, PublicKey } from './types.ts'

/** Both kinds of actor ids take 64 characters of base32. */
const MAX_ACTOR_ID_TEXT = 64

/** The longest peer id (of a secp256k1 key) has 53 characters. */
const MAX_PEER_ID_TEXT = 64

/** Multihash code 0: the "hash" is the data itself. */
const IDENTITY_MULTIHASH = 0x00

/** The actor id of a key (A §2.3); wallet keys have none. */
export function actorIdOf({ type, bytes }: PublicKey): Result<ActorId, Issue> {
  if (!isActorKeyType(type)) return refuse(`a key of type ${type} cannot act; only ed25519 and secp256k1 keys can`)
  return ok(encodeKeyMessage({ type, data: bytes }) as ActorId)
}

/** The key that an actor id is made of. */
export function publicKeyOfActorId(id: Uint8Array): Result<PublicKey, Issue> {
  const message = parseKeyMessage(id)
  if (!message.ok) return message
  const key = parsePublicKey(message.value.type, message.value.data)
  if (!key.ok) return key
  return bytesEqual(key.value.bytes, message.value.data) ? key : refuse('the key of the actor id is not in its shortest form')
}

/** The DID of an actor's key. */
export function didOfActorId(id: Uint8Array): Result<Did, Issue> {
  const key = publicKeyOfActorId(id)
  return key.ok ? ok(didOf(key.value)) : key
}

/** The text form of an actor id: padded upper-case base32, the `pub` member of its JSON form (A §2.3). */
export function encodeActorId(id: ActorId): string {
  return encodeBase32(id)
}

/**
 * Reads the text form of an actor id.
 *
 * Each actor id has exactly one text: stricter than the reference, line breaks and non-zero trailing bits are refused, and so
 * are keys that are neither Ed25519 nor secp256k1 (A, W5).
 */
export function parseActorId(text: string): Result<ActorId, Issue> {
  if (text.length > MAX_ACTOR_ID_TEXT) return refuse(`an actor id has ${MAX_ACTOR_ID_TEXT} characters, got ${text.length}`)
  const decoded = decodeBase32(text)
  if (!decoded.ok) return refuse(`invalid actor id: ${decoded.error}`)
  const key = publicKeyOfActorId(decoded.value)
  return key.ok ? actorIdOf(key.value) : refuse(`invalid actor id: ${key.error.message}`)
}

/**
 * The libp2p peer id text of a key: base58 of the identity multihash of its actor id (`12D3KooW…`, `16Uiu2…`).
 *
 * @throws UnsupportedKeyError for wallet keys: no libp2p host has one.
 */
export function peerIdOf(publicKey: PublicKey): string {
  const id = actorIdOf(publicKey)
  if (!id.ok) throw new UnsupportedKeyError(`no peer id: ${id.error.message}`)
  return encodeBase58(Uint8Array.from([IDENTITY_MULTIHASH, id.value.length, ...id.value]))
}

/** The key inside of a peer id's text; `Qm…` ids are hashes and hold none. */
export function publicKeyOfPeerId(text: string): Result<PublicKey, Issue> {
  if (text.startsWith('Qm')) return refuse(`peer id ${excerpt(text)} is the hash of a key and does not hold the key itself`)
  if (text.length > MAX_PEER_ID_TEXT)
    return refuse(`invalid peer id: ${text.length} characters, at most ${MAX_PEER_ID_TEXT} are allowed`)
  const decoded = decodeBase58(text)
  if (!decoded.ok) return refuse(`invalid peer id: ${decoded.error}`)
  const [code, length, ...message] = decoded.value
  if (code !== IDENTITY_MULTIHASH || length !== message.length) {
    return refuse(`invalid peer id: ${excerpt(text)} is not the identity multihash of a key (12D3KooW… or 16Uiu2…)`)
  }
  return publicKeyOfActorId(Uint8Array.from(message))
}
