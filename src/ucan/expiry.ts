import { err, type Issue, ok, type Result } from '../base/index.ts'

const MAX_INT64 = 2n ** 63n - 1n

const LAYOUTS =
  '2024-12-31, 2024-12-31 23:59:59, 2024-12-31T23:59:59Z, 2024-12-31T23:59:59+01:00, 31 Dec 24 23:59 UTC or 31 Dec 24 23:59 +0100'

const MONTHS: readonly string[] = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

const CLOCK = '(?<hour>\\d{2}):(?<minute>\\d{2})'
const SECONDS = ':(?<second>\\d{2})(?:[.,](?<fraction>\\d{1,9}))?'
const DAY = '(?<year>\\d{4})-(?<month>\\d{2})-(?<day>\\d{2})'

/** RFC 822 with a zone name or offset; RFC 3339; two forms without a zone, which mean UTC. */
const PATTERNS: readonly RegExp[] = [
  new RegExp(`^(?<day>\\d{2}) (?<month>[A-Za-z]{3}) (?<year>\\d{2}) ${CLOCK} (?<zone>UTC|GMT|[+-]\\d{4})$`),
  new RegExp(`^${DAY}T${CLOCK}${SECONDS}(?<zone>Z|[+-]\\d{2}:\\d{2})$`),
  new RegExp(`^${DAY} ${CLOCK}${SECONDS}$`),
  new RegExp(`^${DAY}$`)
]

/**
 * Reads an expiry as `--expiry` takes it (A §12): one of the six layouts of the reference, surrounded by any white space.
 *
 * Stricter than the reference (W10): days before 1970 and instants beyond int64 nanoseconds (2262-04-11) are refused
 * instead of wrapping around, and so are zone names other than UTC and GMT, which it takes for UTC.
 *
 * @returns UNIX nanoseconds.
 */
export function parseExpiry(text: string): Result<bigint, Issue> {
  const trimmed = text.trim()
  const parts = PATTERNS.map((pattern) => pattern.exec(trimmed)?.groups).find((groups) => groups !== undefined)
  const nanos = parts === undefined ? undefined : toNanos(parts)
  if (nanos === undefined) return refuse(trimmed, `expected a date like ${LAYOUTS}`)
  if (nanos < 0n || nanos > MAX_INT64) return refuse(trimmed, 'must lie between 1970-01-01 and 2262-04-11')
  return ok(nanos)
}

function refuse(text: string, complaint: string): Result<never, Issue> {
  return err({ path: '', message: `invalid expiry ${JSON.stringify(text.slice(0, 60))}: ${complaint}` })
}

/** UNIX nanoseconds of the parts, or nothing when there is no such day or time. */
function toNanos(parts: { readonly [name: string]: string | undefined }): bigint | undefined {
  const { year = '', month = '', day = '', hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z' } = parts
  const monthNumber = /^\d+$/.test(month) ? Number(month) : MONTHS.indexOf(month.toLowerCase()) + 1
  const offset = offsetMinutes(zone)
  const midnight = midnightOf(fullYear(year), monthNumber, Number(day))
  if (midnight === undefined || offset === undefined) return undefined
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const wholeSeconds = midnight + (Number(hour) * 60 + Number(minute) - offset) * 60 + Number(second)
  return BigInt(wholeSeconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))
}

/** Two-digit years as Go reads them: 69 to 99 are 1969 to 1999. */
function fullYear(year: string): number {
  const number = Number(year)
  if (year.length !== 2) return number
  return number >= 69 ? 1900 + number : 2000 + number
}

/** Seconds since 1970 at the start of a day that is in the calendar. */
function midnightOf(year: number, month: number, day: number): number | undefined {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  return exists ? date.getTime() / 1000 : undefined
}

/** Minutes that a zone is ahead of UTC. */
function offsetMinutes(zone: string): number | undefined {
  const [, sign, hours = '', minutes = ''] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? []
  if (sign === undefined) return 0
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined
  return (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
}
