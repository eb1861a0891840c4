import type { Issue } from './codec.ts'
import { err, ok, type Result } from './result.ts'

/** Longer texts are refused; the longest sensible one has about 40 characters. */
const MAX_LENGTH = 100

const MAX_INT64 = 2n ** 63n - 1n

const NANOS_PER_UNIT: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  // Go reads both the micro sign and the Greek letter.
  '\u00b5s': 1_000n,
  '\u03bcs': 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n
}

const PART = /(\d*)(?:\.(\d*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y

/**
 * Reads a duration as Go's `time.ParseDuration` does (A §12): `90m`, `1.5h`, `1h30m10s`, `-2s`, `0`; there are no days.
 *
 * @returns Nanoseconds, within int64. Fractions below one nanosecond are cut off (Go's floating point may differ by one).
 */
export function parseGoDuration(text: string): Result<bigint, Issue> {
  if (text.length > MAX_LENGTH) return err({ path: '', message: `invalid duration: longer than ${MAX_LENGTH} characters` })
  const body = text.replace(/^[+-]/, '')
  const magnitude = body === '0' ? 0n : sumParts(body)
  if (magnitude === undefined) {
    return err({ path: '', message: `invalid duration ${JSON.stringify(text)}: expected a form like 90m, 1.5h or 1h30m10s` })
  }
  const nanos = text.startsWith('-') ? -magnitude : magnitude
  if (nanos > MAX_INT64 || nanos < -MAX_INT64 - 1n) {
    return err({ path: '', message: `invalid duration ${JSON.stringify(text)}: longer than 292 years` })
  }
  return ok(nanos)
}

/** The sum of all parts, or nothing when the text is not made of parts. */
function sumParts(body: string): bigint | undefined {
  let total = 0n
  let at = 0
  while (at < body.length) {
    PART.lastIndex = at
    const [part = '', whole = '', fraction = '', unit = ''] = PART.exec(body) ?? []
    const nanosPerUnit = NANOS_PER_UNIT[unit]
    if (nanosPerUnit === undefined || whole + fraction === '') return undefined
    total += (BigInt(whole + fraction) * nanosPerUnit) / 10n ** BigInt(fraction.length)
    at += part.length
  }
  return at === 0 ? undefined : total
}
