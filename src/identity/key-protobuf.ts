import { type Issue, ok, type Result } from '../base/index.ts'
import { refuse } from './refuse.ts'
import type { KeyType } from './types.ts'

/** The key types that can act, sign in libp2p and be stored (A §2.1). */
export type ActorKeyType = Extract<KeyType, 'ed25519' | 'secp256k1'>

/** Whether keys of this type can act. */
export function isActorKeyType(type: KeyType): type is ActorKeyType {
  return type === 'ed25519' || type === 'secp256k1'
}

const TYPE_NUMBERS: Readonly<Record<ActorKeyType, number>> = { ed25519: 1, secp256k1: 2 }

/** Type and data of libp2p's key message. */
export interface KeyMessage {
  readonly type: ActorKeyType
  readonly data: Uint8Array
}

/** Encodes `{1: type, 2: data}` as libp2p does (A §2.2); `data` has less than 128 bytes. */
export function encodeKeyMessage({ type, data }: KeyMessage): Uint8Array {
  return Uint8Array.from([0x08, TYPE_NUMBERS[type], 0x12, data.length, ...data])
}

/**
 * Reads what {@link encodeKeyMessage} writes, and nothing else.
 *
 * Every other encoding of the same message, RSA (0) and ECDSA (3) keys are refused: the reference takes them for the empty DID
 * (A, W5).
 */
export function parseKeyMessage(message: Uint8Array): Result<KeyMessage, Issue> {
  const [typeTag, number, dataTag, length = 0] = message
  if (typeTag !== 0x08 || dataTag !== 0x12) return refuse('not the protobuf form of a libp2p key')
  const type = number === TYPE_NUMBERS.ed25519 ? 'ed25519' : number === TYPE_NUMBERS.secp256k1 ? 'secp256k1' : undefined
  if (type === undefined) return refuse(`keys of libp2p type ${number} cannot act; use Ed25519 (1) or secp256k1 (2)`)
  if (length > 127 || message.length !== 4 + length)
    return refuse(`the libp2p key message announces ${length} bytes, has ${message.length - 4}`)
  return ok({ type, data: message.subarray(4) })
}
