import { err, fromNanos, type Millis, millis, ok, type Result, toNanos } from '../base/index.ts'
import { describeNanos, parseExpiry } from '../ucan/index.ts'
import type { Flags } from './command.ts'
import { UsageError } from './errors.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** An expiry (UNIX nanoseconds) for people: the instant, and how far away it is: `2030-01-01T00:00:00.000Z (in 3 days)`. */
export function describeExpiry(expiresAt: bigint, now: Millis): string {
  const left = fromNanos(expiresAt) - now
  return `${describeNanos(expiresAt)} (${left < 0 ? `expired ${describeSpan(millis(-left))} ago` : `in ${describeSpan(millis(left))}`})`
}

/** A duration in its largest unit, rounded down: `3 days`, `2 h`, `5 min`. */
export function describeSpan(span: Millis): string {
  const days = Math.floor(span / DAY)
  if (days >= 2) return `${days} days`
  if (span >= HOUR) return `${Math.floor(span / HOUR)} h`
  if (span >= MINUTE) return `${Math.floor(span / MINUTE)} min`
  return `${Math.floor(span / SECOND)} s`
}

/** UNIX nanoseconds; a time that has passed is refused, for such a token could never be used (A §14, W10). */
export function parseFutureExpiry(text: string, now: Millis): Result<bigint, string> {
  const expiry = parseExpiry(text)
  if (!expiry.ok) return err(expiry.error.message)
  if (expiry.value <= toNanos(now)) return err(`the expiry ${text} has passed; choose one in the future`)
  return ok(expiry.value)
}

/** When a new token ends, by `--expiry` or else `--duration`: UNIX nanoseconds. A time that has passed is refused, for such a token could never be used. */
export function expiryIn(flags: Flags, now: Millis): bigint {
  const text = flags.text('expiry')
  if (text !== undefined) {
    const expiry = parseFutureExpiry(text, now)
    if (!expiry.ok) throw new UsageError(expiry.error)
    return expiry.value
  }
  const duration = flags.duration('duration') ?? 0
  if (duration <= 0) throw new UsageError(`the duration must be more than 0, got ${flags.text('duration') ?? ''}`)
  return toNanos(now) + BigInt(Math.round(duration)) * 1_000_000n
}
