import { err, ok, type Result } from './result.ts'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

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
  const body = text.replace(/=+$/, '')
  if (text.length % 8 !== 0) return err('base32 text is not padded to a multiple of 8 characters')
  const data: number[] = []
  let bits = 0
  let value = 0
  for (const character of body) {
    const digit = BASE32.indexOf(character)
    if (digit < 0) return err(`base32 text has the character ${JSON.stringify(character)}`)
    value = (value << 5) | digit
    bits += 5
    if (bits >= 8) {
      bits -= 8
      data.push((value >>> bits) & 255)
    }
    value &= (1 << bits) - 1
  }
  const decoded = Uint8Array.from(data)
  return encodeBase32(decoded) === text ? ok(decoded) : err('base32 text is not canonical')
}

/** Base58 with Bitcoin's alphabet, as in `did:key` and peer ids. */
export function encodeBase58(data: Uint8Array): string {
  const digits: number[] = []
  for (const byte of data) {
    let carry = byte
    for (let i = 0; i < digits.length; i += 1) {
      carry += (digits[i] ?? 0) << 8
      digits[i] = carry % 58
      carry = Math.floor(carry / 58)
    }
    for (; carry > 0; carry = Math.floor(carry / 58)) digits.push(carry % 58)
  }
  const zeros = data.findIndex((byte) => byte !== 0)
  const leading = '1'.repeat(zeros < 0 ? data.length : zeros)
  return (
    leading +
    digits
      .reverse()
      .map((digit) => BASE58.charAt(digit))
      .join('')
  )
}

/** Reads base58; the work is quadratic, so texts over 256 characters are refused. */
export function decodeBase58(text: string): Result<Uint8Array, string> {
  if (text.length > 256) return err('base58 text is longer than 256 characters')
  const data: number[] = []
  for (const character of text) {
    let carry = BASE58.indexOf(character)
    if (carry < 0) return err(`base58 text has the character ${JSON.stringify(character)}`)
    for (let i = 0; i < data.length; i += 1) {
      carry += (data[i] ?? 0) * 58
      data[i] = carry & 255
      carry >>= 8
    }
    for (; carry > 0; carry >>= 8) data.push(carry & 255)
  }
  const leading = text.length - text.replace(/^1+/, '').length
  return ok(Uint8Array.from([...new Array<number>(leading).fill(0), ...data.reverse()]))
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

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** The text of UTF-8 bytes; invalid sequences become U+FFFD. */
export function fromUtf8(data: Uint8Array): string {
  return new TextDecoder().decode(data)
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
