import { bytesEqual, type Issue, invariant, ok, type Random, type Result, systemRandom } from '../base/index.ts'
import { actorIdOf, peerIdOf } from './actor-id.ts'
import { didOf } from './did-key.ts'
import { ED25519_KEY_LENGTH, ed25519Key } from './ed25519.ts'
import { type ActorKeyType, encodeKeyMessage, parseKeyMessage } from './key-protobuf.ts'
import { refuse } from './refuse.ts'
import { createSeal } from './seal.ts'
import { secp256k1Key } from './secp256k1.ts'
import type { KeyPair } from './types.ts'

/** Bytes of Ed25519's private forms: seed ‖ public key, and the old form with the public key twice (A §2.2). */
const ED25519_PRIVATE_LENGTH = 2 * ED25519_KEY_LENGTH
const ED25519_OLD_PRIVATE_LENGTH = 3 * ED25519_KEY_LENGTH

/** Bytes of the private scalar of secp256k1. */
const SECP256K1_SCALAR_LENGTH = 32

/** Makes a new Ed25519 key. */
export function generateKeyPair(random: Random = systemRandom): KeyPair {
  return keyPairFromSeed(random.bytes(ED25519_KEY_LENGTH))
}

/** Makes a new secp256k1 key. */
export function generateSecp256k1KeyPair(random: Random = systemRandom): KeyPair {
  for (;;) {
    const key = readSecp256k1(random.bytes(SECP256K1_SCALAR_LENGTH))
    if (key.ok) return key.value // else zero or over the order of the curve: once in 2^128 draws
  }
}

/** The Ed25519 key of a seed of exactly 32 bytes; the same seed gives the same key. */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  invariant(seed.length === ED25519_KEY_LENGTH, `an Ed25519 seed has ${ED25519_KEY_LENGTH} bytes, got ${seed.length}`)
  const { publicBytes, sign } = ed25519Key(seed)
  return createKeyPair({ type: 'ed25519', publicBytes, privateData: Buffer.concat([seed, publicBytes]), secret: seed, sign })
}

/**
 * Reads a private key in libp2p's protobuf form (A §2.2): Ed25519 (64 data bytes, or the old 96) or secp256k1.
 *
 * Refuses forms whose public copy does not belong to the private part. Messages hold no key bytes.
 */
export function importKeyPair(protobufPrivate: Uint8Array): Result<KeyPair, Issue> {
  const message = parseKeyMessage(protobufPrivate)
  if (!message.ok) return message
  return message.value.type === 'ed25519' ? readEd25519(message.value.data) : readSecp256k1(message.value.data)
}

/** Reads a raw Ed25519 private key as `nunet key import` takes it (A §12.1): a seed of 32 bytes, or seed ‖ public key. */
export function importRawKeyPair(raw: Uint8Array): Result<KeyPair, Issue> {
  return raw.length === ED25519_KEY_LENGTH ? ok(keyPairFromSeed(raw)) : readEd25519(raw)
}

function readEd25519(data: Uint8Array): Result<KeyPair, Issue> {
  if (data.length !== ED25519_PRIVATE_LENGTH && data.length !== ED25519_OLD_PRIVATE_LENGTH) {
    return refuse(`an Ed25519 private key has ${ED25519_PRIVATE_LENGTH} bytes, got ${data.length}`)
  }
  const keyPair = keyPairFromSeed(data.subarray(0, ED25519_KEY_LENGTH))
  for (let start = ED25519_KEY_LENGTH; start < data.length; start += ED25519_KEY_LENGTH) {
    const copy = data.subarray(start, start + ED25519_KEY_LENGTH)
    if (!bytesEqual(copy, keyPair.publicKey.bytes))
      return refuse('the public part of the Ed25519 key does not belong to its private part')
  }
  return ok(keyPair)
}

function readSecp256k1(scalar: Uint8Array): Result<KeyPair, Issue> {
  const key = secp256k1Key(scalar)
  if (!key.ok) return key
  const { point, sign } = key.value
  return ok(createKeyPair({ type: 'secp256k1', publicBytes: point, privateData: scalar, secret: scalar, sign }))
}

interface KeyParts {
  readonly type: ActorKeyType
  readonly publicBytes: Uint8Array
  /** The data of the private key message. */
  readonly privateData: Uint8Array
  /** What the seal's key is derived from. */
  readonly secret: Uint8Array
  readonly sign: (message: Uint8Array) => Uint8Array
}

/** The private bytes live in closures only: printing or serializing a key pair shows none of them. */
function createKeyPair({ type, publicBytes, privateData, secret, sign }: KeyParts): KeyPair {
  const publicKey = { type, bytes: publicBytes }
  const actorId = actorIdOf(publicKey)
  invariant(actorId.ok, `a key of type ${type} can act`)
  const protobuf = encodeKeyMessage({ type, data: privateData })
  const { seal, unseal } = createSeal(secret)
  return {
    did: didOf(publicKey),
    publicKey,
    actorId: actorId.value,
    peerId: peerIdOf(publicKey),
    sign: async (message) => sign(message),
    exportPrivate: () => Uint8Array.from(protobuf),
    seal,
    unseal
  }
}
