import { createECDH, createPrivateKey, createPublicKey, ECDH, type KeyObject, sign, verify } from 'node:crypto'
import { type Issue, invariant, ok, type Result } from '../base/index.ts'
import { encodeDerSignature, parseDerSignature } from './der.ts'
import { refuse } from './refuse.ts'

const CURVE = 'secp256k1'
const COMPRESSED_LENGTH = 33
const UNCOMPRESSED_LENGTH = 65
const SCALAR_LENGTH = 32

/** SubjectPublicKeyInfo of a compressed point, up to the point. */
const PUBLIC_HEADER = Buffer.from('3036301006072a8648ce3d020106052b8104000a032200', 'hex')
/** ECPrivateKey (SEC 1) around the 32-byte scalar. */
const PRIVATE_HEADER = Buffer.from('302e0201010420', 'hex')
const PRIVATE_TRAILER = Buffer.from('a00706052b8104000a', 'hex')

/** The compressed form of a compressed or uncompressed point; refuses what is not a point of the curve. */
export function compressPoint(point: Uint8Array): Result<Uint8Array, Issue> {
  if (!hasPointForm(point)) {
    return refuse(`a secp256k1 key is a point of ${COMPRESSED_LENGTH} or ${UNCOMPRESSED_LENGTH} bytes, got ${point.length} bytes`)
  }
  try {
    return ok(Uint8Array.from(Buffer.from(ECDH.convertKey(point, CURVE, undefined, 'hex', 'compressed').toString(), 'hex')))
  } catch {
    // the only reason for which OpenSSL refuses a well-formed point
    return refuse('the point is not on the curve secp256k1')
  }
}

function hasPointForm(point: Uint8Array): boolean {
  if (point.length === COMPRESSED_LENGTH) return point[0] === 2 || point[0] === 3
  return point.length === UNCOMPRESSED_LENGTH && point[0] === 4
}

/** Makes the checker of ECDSA signatures over SHA-256, in strict DER, low or high S (A §4). `point` is compressed and valid. */
export function secp256k1Check(point: Uint8Array): (message: Uint8Array, signature: Uint8Array) => boolean {
  const key = createPublicKey({ key: Buffer.concat([PUBLIC_HEADER, point]), format: 'der', type: 'spki' })
  return (message, signature) => parseDerSignature(signature) !== undefined && verify('sha256', message, key, signature)
}

/** A private key that signs. */
export interface Secp256k1Key {
  /** The compressed point. */
  readonly point: Uint8Array
  /** ECDSA over SHA-256, in DER with S in the low half. */
  sign(message: Uint8Array): Uint8Array
}

/** Reads a private scalar of 32 bytes, big-endian, in [1, n). */
export function secp256k1Key(scalar: Uint8Array): Result<Secp256k1Key, Issue> {
  if (scalar.length !== SCALAR_LENGTH) return refuse(`a secp256k1 private key has ${SCALAR_LENGTH} bytes, got ${scalar.length}`)
  const point = pointOf(scalar)
  if (point === undefined) return refuse('the secp256k1 private key is zero or not below the order of the curve')
  const key = privateKeyObject(scalar)
  return ok({ point, sign: (message) => signLow(message, key) })
}

function pointOf(scalar: Uint8Array): Uint8Array | undefined {
  const ecdh = createECDH(CURVE)
  try {
    ecdh.setPrivateKey(scalar)
  } catch {
    return undefined // the scalar is out of range: there is no other reason
  }
  return Uint8Array.from(Buffer.from(ecdh.getPublicKey('hex', 'compressed'), 'hex'))
}

function privateKeyObject(scalar: Uint8Array): KeyObject {
  const der = Buffer.concat([PRIVATE_HEADER, scalar, PRIVATE_TRAILER])
  const key = createPrivateKey({ key: der, format: 'der', type: 'sec1' })
  der.fill(0)
  return key
}

function signLow(message: Uint8Array, key: KeyObject): Uint8Array {
  const signature = parseDerSignature(sign('sha256', message, key))
  invariant(signature, 'OpenSSL writes ECDSA signatures as DER')
  return encodeDerSignature(signature)
}
