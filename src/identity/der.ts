import { type Issue, ok, type Result } from '../base/index.ts'

/** The two numbers of an ECDSA signature over secp256k1, each in [1, n). */
export interface EcdsaSignature {
  readonly r: bigint
  readonly s: bigint
}

/** n, the order of secp256k1. */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** Two 33-byte integers with their headers. */
const MAX_LENGTH = 72

/**
 * Reads an ECDSA signature in strict DER (A §4): shortest lengths, shortest non-negative integers in [1, n), no other byte.
 *
 * @returns undefined for anything else.
 */
export function parseDerSignature(data: Uint8Array): EcdsaSignature | undefined {
  if (data.length > MAX_LENGTH || data[0] !== 0x30 || data[1] !== data.length - 2) return undefined
  const r = readInteger(data, 2)
  if (r === undefined) return undefined
  const s = readInteger(data, r.end)
  if (s === undefined || s.end !== data.length) return undefined
  return { r: r.value, s: s.value }
}

function readInteger(data: Uint8Array, start: number): { readonly value: bigint; readonly end: number } | undefined {
  const [tag, length = 0, first = 0, second = 0] = data.subarray(start)
  const end = start + 2 + length
  if (tag !== 0x02 || length < 1 || length > 33 || end > data.length) return undefined
  const isNegative = first >= 0x80
  const isPadded = first === 0 && length > 1 && second < 0x80
  if (isNegative || isPadded) return undefined
  const value = BigInt(`0x${Buffer.from(data.subarray(start + 2, end)).toString('hex')}`)
  return value > 0n && value < ORDER ? { value, end } : undefined
}

/** DER with S in the low half, as the reference writes signatures (A §4). */
export function encodeDerSignature({ r, s }: EcdsaSignature): Uint8Array {
  const body = [...integer(r), ...integer(s > ORDER / 2n ? ORDER - s : s)]
  return Uint8Array.from([0x30, body.length, ...body])
}

/**
 * A signature from the two numbers as a wallet gives them: big-endian, any number of leading zeros.
 *
 * @returns DER as {@link encodeDerSignature}, or an issue whose path is `r` or `s`, the number outside of [1, n).
 */
export function encodeEcdsaSignature(r: Uint8Array, s: Uint8Array): Result<Uint8Array, Issue> {
  const numbers = { r: toNumber(r), s: toNumber(s) }
  for (const [path, value] of Object.entries(numbers)) {
    if (value <= 0n || value >= ORDER) return { ok: false, error: { path, message: 'not between 1 and the order of secp256k1' } }
  }
  return ok(encodeDerSignature(numbers))
}

function toNumber(data: Uint8Array): bigint {
  // longer texts than any number below the order are not worth converting
  return data.length > MAX_LENGTH ? ORDER : BigInt(`0x0${Buffer.from(data).toString('hex')}`)
}

function integer(value: bigint): readonly number[] {
  const digits = value.toString(16)
  const bytes = [...Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')]
  const signed = (bytes[0] ?? 0) >= 0x80 ? [0, ...bytes] : bytes
  return [0x02, signed.length, ...signed]
}

/** r and s as 32 bytes each, big-endian. */
export function toCompactSignature({ r, s }: EcdsaSignature): Uint8Array {
  return Uint8Array.from(Buffer.from(r.toString(16).padStart(64, '0') + s.toString(16).padStart(64, '0'), 'hex'))
}
