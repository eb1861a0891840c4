/** Major types of CBOR (RFC 8949 §3.1). */
export const CBOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const

/** The begin of a CBOR item: its type, its value or count, and where its content begins. */
export interface CborHead {
  readonly major: number
  readonly value: number
  readonly next: number
}

/**
 * Reads the head of the item at `at`; undefined at the end of the data and for indefinite lengths. Values over 2^53 are rounded.
 *
 * Just what two fixed COSE structures need: a CBOR library costs every command 25 ms at start, also those without a wallet.
 */
export function readHead(data: Uint8Array, at: number): CborHead | undefined {
  const initial = data[at]
  if (initial === undefined) return undefined
  const major = initial >> 5
  const short = initial & 0x1f
  if (short < 24) return { major, value: short, next: at + 1 }
  if (short > 27) return undefined
  const next = at + 1 + 2 ** (short - 24)
  if (next > data.length) return undefined
  const value = data.subarray(at + 1, next).reduce((total, byte) => total * 256 + byte, 0)
  return { major, value, next }
}

/** The byte string at `at` and where the next item begins; undefined when there is none. */
export function readBytes(data: Uint8Array, at: number): { readonly bytes: Uint8Array; readonly next: number } | undefined {
  const head = readHead(data, at)
  if (head?.major !== CBOR.bytes) return undefined
  const next = head.next + head.value
  return next <= data.length ? { bytes: data.subarray(head.next, next), next } : undefined
}

/** Where the item after the one at `at` begins; undefined when that item is not complete. Linear and without recursion. */
export function skipItem(data: Uint8Array, at: number): number | undefined {
  let next = at
  for (let pending = 1; pending > 0; pending -= 1) {
    const head = readHead(data, next)
    if (head === undefined) return undefined
    next = head.next
    if (head.major === CBOR.bytes || head.major === CBOR.text) next += head.value
    else pending += childrenOf(head)
  }
  return next <= data.length ? next : undefined
}

function childrenOf({ major, value }: CborHead): number {
  if (major === CBOR.array) return value
  if (major === CBOR.map) return 2 * value
  return major === CBOR.tag ? 1 : 0
}

/** A text or byte string as an item, with the shortest length. */
export function encodeString(value: string | Uint8Array): Uint8Array {
  const content = Buffer.from(value)
  const major = typeof value === 'string' ? CBOR.text : CBOR.bytes
  return Uint8Array.from(Buffer.concat([encodeHead(major, content.length), content]))
}

/** The head of an item with a value below 2^32, in its shortest form. */
export function encodeHead(major: number, value: number): Uint8Array {
  const type = major << 5
  if (value < 24) return Uint8Array.of(type | value)
  if (value < 2 ** 8) return Uint8Array.of(type | 24, value)
  if (value < 2 ** 16) return Uint8Array.of(type | 25, value >> 8, value)
  return Uint8Array.of(type | 26, value >> 24, value >> 16, value >> 8, value)
}
