import { err, ok, type Result } from './result.ts'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** The value of each character code below 128 in an alphabet; -1 for all others. */
function digitsOf(alphabet: string): Int8Array {
  const digits = new Int8Array(128).fill(-1)
  for (let value = 0; value < alphabet.length; value += 1) digits[alphabet.charCodeAt(value)] = value
  return digits
}

const BASE32_DIGITS = digitsOf(BASE32)
const BASE58_DIGITS = digitsOf(BASE58)

/** RFC 4648 base32, upper case, padded (the text form of actor ids, A §2.3). */
export function encodeBase32(data: Uint8Array): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of data) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += BASE32.charAt((value >>> bits) & 31)
    }
    value &= (1 << bits) - 1
  }
  if (bits > 0) text += BASE32.charAt((value << (5 - bits)) & 31)
  return text + '='.repeat((8 - (text.length % 8)) % 8)
}

/** Reads canonical padded upper-case base32; anything that would not encode to the same text is refused. */
export function decodeBase32(text: string): Result<Uint8Array, string> {
  if (text.length % 8 !== 0) return err('base32 text is not padded to a multiple of 8 characters')
  let length = text.length
  while (length > 0 && text.charAt(length - 1) === '=') length -= 1
  const data = new Uint8Array((length * 5) >>> 3)
  let at = 0
  let bits = 0
  let value = 0
  for (let index = 0; index < length; index += 1) {
    const digit = BASE32_DIGITS[text.charCodeAt(index)] ?? -1
    if (digit < 0) return err(`base32 text has the character ${JSON.stringify(text.charAt(index))}`)
    value = (value << 5) | digit
    bits += 5
    if (bits >= 8) {
      bits -= 8
      data[at] = value >>> bits
      at += 1
    }
    value &= (1 << bits) - 1
  }
  const isCanonical = value === 0 && bits < 5 && text.length - length < 8
  return isCanonical ? ok(data) : err('base32 text is not canonical')
}

/** Base58 with Bitcoin's alphabet, as in `did:key` and peer ids. */
export function encodeBase58(data: Uint8Array): string {
  const digits = new Uint8Array(Math.ceil(data.length * 1.37)) // log(256) / log(58) digits for each byte
  let length = 0
  for (const byte of data) {
    let carry = byte
    let at = 0
    for (; at < length || carry > 0; at += 1) {
      carry += (digits[at] ?? 0) << 8
      digits[at] = carry % 58
      carry = (carry / 58) | 0
    }
    length = at
  }
  const zeros = data.findIndex((byte) => byte !== 0)
  let text = '1'.repeat(zeros < 0 ? data.length : zeros)
  for (let at = length - 1; at >= 0; at -= 1) text += BASE58.charAt(digits[at] ?? 0)
  return text
}

/** Reads base58; the work is quadratic, so texts over 256 characters are refused. */
export function decodeBase58(text: string): Result<Uint8Array, string> {
  if (text.length > 256) return err('base58 text is longer than 256 characters')
  const data = new Uint8Array(text.length) // little-endian, and longer than needed
  let length = 0
  for (let index = 0; index < text.length; index += 1) {
    let carry = BASE58_DIGITS[text.charCodeAt(index)] ?? -1
    if (carry < 0) return err(`base58 text has the character ${JSON.stringify(text.charAt(index))}`)
    let at = 0
    for (; at < length || carry > 0; at += 1) {
      carry += (data[at] ?? 0) * 58
      data[at] = carry & 255
      carry >>= 8
    }
    length = at
  }
  let zeros = 0
  while (text.charAt(zeros) === '1') zeros += 1
  const decoded = new Uint8Array(zeros + length)
  decoded.set(data.subarray(0, length).reverse(), zeros)
  return ok(decoded)
}

/** Standard base64 with padding. */
export function encodeBase64(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
}

/** Reads canonical padded standard base64; anything that would not encode to the same text is refused. */
export function decodeBase64(text: string): Result<Uint8Array, string> {
  const data = Buffer.from(text, 'base64')
  return data.toString('base64') === text ? ok(new Uint8Array(data)) : err('not canonical padded base64')
}

/** Lower-case hexadecimal. */
export function encodeHex(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')
}

/** Reads hexadecimal of either case. */
export function decodeHex(text: string): Result<Uint8Array, string> {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return err('not hexadecimal')
  return ok(new Uint8Array(Buffer.from(text, 'hex')))
}

/** Whether two byte strings are equal. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder() // making one costs more than decoding a short text

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return ENCODER.encode(text)
}

/** The text of UTF-8 bytes; invalid sequences become U+FFFD. */
export function fromUtf8(data: Uint8Array): string {
  return DECODER.decode(data)
}

/** The candidate nearest to `wanted` by edit distance, if it is near enough to be a likely misspelling. */
export function nearest(wanted: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
