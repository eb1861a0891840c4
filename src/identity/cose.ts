import { bytesEqual } from '../base/index.ts'
import { CBOR, encodeHead, encodeString, readBytes, readHead, skipItem } from './cbor.ts'
import { ed25519Check } from './ed25519.ts'

/** Longest CBOR that is read: a signature embeds one token (A, wire sizes), a key has 42 bytes. */
const MAX_LENGTH = 65_536

/** COSE_Key labels and values of an Ed25519 key (RFC 9053 §7.2). */
const KEY_TYPE = 1
const CURVE = -1
const X = -2
const OCTET_KEY_PAIR = 1
const ED25519 = 6
const X_LENGTH = 32

/** The label `hashed` as CBOR, and the value true. */
const HASHED = encodeString('hashed')
const TRUE = 0xf5

/** The raw Ed25519 key inside of a COSE_Key (A §5.2), other members ignored; undefined when there is none. */
export function ed25519OfCoseKey(data: Uint8Array): Uint8Array | undefined {
  const members = readIntegerMembers(data)
  if (members === undefined) return undefined
  const [keyType, curve, x] = [KEY_TYPE, CURVE, X].map((label) => members.get(label))
  if (keyType === undefined || !isUnsigned(data, keyType, OCTET_KEY_PAIR)) return undefined
  if (curve === undefined || !isUnsigned(data, curve, ED25519)) return undefined
  const bytes = x === undefined ? undefined : readBytes(data, x)?.bytes
  return bytes?.length === X_LENGTH ? Uint8Array.from(bytes) : undefined
}

function isUnsigned(data: Uint8Array, at: number, value: number): boolean {
  const head = readHead(data, at)
  return head?.major === CBOR.unsigned && head.value === value
}

/** Where the value of each integer label of a map begins; undefined when the data is not one map or repeats a label. */
function readIntegerMembers(data: Uint8Array): ReadonlyMap<number, number> | undefined {
  const map = data.length > MAX_LENGTH ? undefined : readHead(data, 0)
  if (map?.major !== CBOR.map) return undefined
  const members = new Map<number, number>()
  let at: number | undefined = map.next
  for (let index = 0; index < map.value; index += 1) {
    const label = readHead(data, at)
    const value = skipItem(data, at)
    if (label === undefined || value === undefined) return undefined
    const name = label.major === CBOR.unsigned ? label.value : label.major === CBOR.negative ? -1 - label.value : undefined
    if (name !== undefined) {
      if (members.has(name)) return undefined
      members.set(name, value)
    }
    at = skipItem(data, value)
    if (at === undefined) return undefined
  }
  return at === data.length ? members : undefined
}

/**
 * Makes the checker of Cardano wallet signatures (A §5.2): a COSE_Sign1 array whose signature is checked over our message;
 * payload and headers inside of it only count as the signed `protected` bytes. `point` has 32 bytes.
 */
export function cardanoCheck(point: Uint8Array): (message: Uint8Array, signature: Uint8Array) => boolean {
  const check = ed25519Check(point)
  return (message, signature) => {
    const sealed = parseCoseSign1(signature)
    return sealed !== undefined && check(signatureStructure(sealed.protectedBytes, message), sealed.signature)
  }
}

/**
 * Whether a COSE_Sign1 says that a hash of the message was signed and not the message (CIP 8, `hashed: true`).
 *
 * Such signatures are not accepted, as the reference does not (A §5.2): whoever lets a wallet sign 28 bytes that he cannot read would
 * have signed any token with that hash.
 */
export function isHashedCose(data: Uint8Array): boolean {
  const sealed = parseCoseSign1(data)
  if (sealed === undefined) return false
  return [sealed.protectedBytes, sealed.unprotectedMap].some((map) => saysHashed(map))
}

/** Whether a map has a text label `hashed` with the value true. */
function saysHashed(data: Uint8Array): boolean {
  const map = readHead(data, 0)
  if (map?.major !== CBOR.map) return false
  let at: number | undefined = map.next
  for (let index = 0; index < map.value && at !== undefined; index += 1) {
    const value: number | undefined = skipItem(data, at)
    if (value === undefined) return false
    if (bytesEqual(data.subarray(at, value), HASHED) && data[value] === TRUE) return true
    at = skipItem(data, value)
  }
  return false
}

interface CoseSign1 {
  readonly protectedBytes: Uint8Array
  readonly unprotectedMap: Uint8Array
  readonly signature: Uint8Array
}

/** `[protected bytes, unprotected map, payload, signature bytes]` (RFC 9052 §4.2) and nothing after it. */
function parseCoseSign1(data: Uint8Array): CoseSign1 | undefined {
  const array = data.length > MAX_LENGTH ? undefined : readHead(data, 0)
  if (array?.major !== CBOR.array || array.value !== 4) return undefined
  const protectedHeader = readBytes(data, array.next)
  if (protectedHeader === undefined || readHead(data, protectedHeader.next)?.major !== CBOR.map) return undefined
  const payload = skipItem(data, protectedHeader.next)
  const last = payload === undefined ? undefined : skipItem(data, payload)
  const signature = last === undefined ? undefined : readBytes(data, last)
  if (signature === undefined || signature.next !== data.length) return undefined
  const unprotectedMap = data.subarray(protectedHeader.next, payload)
  return { protectedBytes: protectedHeader.bytes, unprotectedMap, signature: signature.bytes }
}

/** `["Signature1", protected, h'', message]` (RFC 9052 §4.4). */
function signatureStructure(protectedBytes: Uint8Array, message: Uint8Array): Uint8Array {
  const items = ['Signature1', protectedBytes, new Uint8Array(), message].map(encodeString)
  return Buffer.concat([encodeHead(CBOR.array, items.length), ...items])
}
