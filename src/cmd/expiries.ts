import { err, type Millis, ok, type Result, toNanos } from '../base/index.ts'
import { parseExpiry } from '../ucan/index.ts'

/** UNIX nanoseconds; a time that has passed is refused, for such a token could never be used (A §14, W10). */
export function parseFutureExpiry(text: string, now: Millis): Result<bigint, string> {
  const expiry = parseExpiry(text)
  if (!expiry.ok) return err(expiry.error.message)
  if (expiry.value <= toNanos(now)) return err(`the expiry ${text} has passed; choose one in the future`)
  return ok(expiry.value)
}
