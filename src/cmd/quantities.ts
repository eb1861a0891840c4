import { fromNanos, type Millis, millis, parseGoDuration } from '../base/index.ts'
import { parseExpiry } from '../ucan/index.ts'
import { UsageError } from './errors.ts'

/** Bytes per unit, by lower-case name. */
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 2 ** 30,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40
}

/**
 * A size in bytes: a number of GiB, or text with a unit such as `512MiB` (B §9.1).
 *
 * @throws UsageError naming the flag.
 */
export function parseSize(flag: string, text: string): number {
  const [, digits = '', unit = ''] = /^\s*(\d{1,15}(?:\.\d{0,9})?)\s*([a-zA-Z]*)\s*$/.exec(text) ?? []
  const factor = Object.hasOwn(SIZE_UNITS, unit.toLowerCase()) ? SIZE_UNITS[unit.toLowerCase()] : undefined
  const size = digits === '' || factor === undefined ? 0 : Math.round(Number(digits) * factor)
  if (size > 0 && Number.isSafeInteger(size)) return size
  throw new UsageError(
    `invalid argument ${JSON.stringify(text)} for "--${flag}" flag: must be a number of GiB more than 0, or a size such as 512MiB`
  )
}

/** A graphics card and what is lent of its memory, `<index>:<GiB>`; passed on as it is (D §2.3). */
export function parseGpu(text: string): string {
  if (/^\d{1,3}:\d{1,6}(\.\d{1,9})?$/.test(text)) return text
  throw new UsageError(`invalid argument ${JSON.stringify(text)} for "-G, --gpus" flag: must be <index>:<GiB> such as 0:7.5`)
}

/** `key=value` pairs as an object. */
export function parseMetadata(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)]
      throw new UsageError(`invalid argument ${JSON.stringify(pair)} for "-f, --filter" flag: must be key=value`)
    })
  )
}

/** An instant as RFC 3339: a date, or how long ago it is, such as `90m` or `7d` (B §9.1). */
export function parseWhen(flag: string, text: string, now: Millis): string {
  const ago = durationOf(text)
  const instant = ago === undefined ? dateOf(text) : millis(now - ago)
  if (instant !== undefined && Math.abs(instant) <= 8.64e15) return new Date(instant).toISOString()
  throw new UsageError(
    `invalid argument ${JSON.stringify(text)} for "--${flag}" flag: must be a time such as 2026-01-31T12:00:00Z, or 90m or 7d ago`
  )
}

function durationOf(text: string): Millis | undefined {
  const [, days] = /^(\d{1,6})d$/.exec(text) ?? []
  if (days !== undefined) return millis(Number(days) * 86_400_000)
  const nanos = parseGoDuration(text)
  return nanos.ok ? fromNanos(nanos.value) : undefined
}

function dateOf(text: string): Millis | undefined {
  const nanos = parseExpiry(text)
  return nanos.ok ? fromNanos(nanos.value) : undefined
}
