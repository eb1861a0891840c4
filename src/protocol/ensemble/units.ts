import { type Bytes, bytes, err, fromNanos, type Millis, ok, parseGoDuration, type Result } from '../../base/index.ts'

/** Bytes per unit, by lower-case name. */
const SIZE_UNITS: Readonly<Record<string, number>> = {
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

const CLOCK_UNITS: Readonly<Record<string, number>> = { hz: 1, khz: 1e3, mhz: 1e6, ghz: 1e9 }

const QUANTITY = /^\s*(\d{1,16}(?:\.\d{1,16})?)\s*([a-zA-Z]{0,3})\s*$/

/** No processor runs faster; what lies above is a number in Hz where GHz are meant. */
const MAX_CLOCK_HZ = 1e12

/**
 * A size as an ensemble file has it: a number of GiB, or text such as `512MiB` or `1.5 GB` (C §7.4).
 *
 * @returns Whole bytes, more than 0 and below 2^53; otherwise what would be right.
 */
export function parseSize(value: number | string): Result<Bytes, string> {
  const amount = quantity(value, SIZE_UNITS, 'gib')
  if (amount === undefined)
    return err('must be a number of GiB such as 0.5, or text with KB, MB, GB, KiB, MiB or GiB such as 512MiB')
  const size = Math.round(amount)
  if (size <= 0) return err('must be more than 0 bytes')
  return Number.isSafeInteger(size) ? ok(bytes(size)) : err('must be less than 2^53 bytes')
}

/** A clock speed as an ensemble file has it: a number of GHz, or text such as `2400MHz`; the result in Hz. */
export function parseClock(value: number | string): Result<number, string> {
  const hertz = quantity(value, CLOCK_UNITS, 'ghz')
  if (hertz === undefined) return err('must be a number of GHz such as 2.4, or text with Hz, kHz, MHz or GHz such as 2400MHz')
  if (hertz <= 0) return err('must be more than 0')
  if (hertz > MAX_CLOCK_HZ) return err('must be at most 1000 GHz: a plain number is in GHz, hertz are written as in 2400000000Hz')
  return ok(hertz)
}

/** A duration text such as `30s` or `1m30s`, more than 0; rounded down to milliseconds. */
export function parseDuration(value: string): Result<Millis, string> {
  const nanos = parseGoDuration(value)
  if (!nanos.ok) return err('must be a duration such as 30s or 1m30s')
  const duration = fromNanos(nanos.value)
  return duration > 0 ? ok(duration) : err('must be a duration of at least 1ms')
}

function quantity(value: number | string, units: Readonly<Record<string, number>>, fallback: string): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value * (units[fallback] ?? 1) : undefined
  const [, digits, unit = ''] = QUANTITY.exec(value) ?? []
  const name = unit === '' ? fallback : unit.toLowerCase()
  const factor = Object.hasOwn(units, name) ? units[name] : undefined
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor
}
