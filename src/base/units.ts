import type { Brand } from './brand.ts'

/** A duration in milliseconds, or an instant in milliseconds since the Unix epoch. */
export type Millis = Brand<number, 'Millis'>

/** A size in bytes. */
export type Bytes = Brand<number, 'Bytes'>

/** Milliseconds as a {@link Millis}. */
export function millis(value: number): Millis {
  return value as Millis
}

/** Seconds as a {@link Millis}. */
export function seconds(value: number): Millis {
  return (value * 1000) as Millis
}

/** Minutes as a {@link Millis}. */
export function minutes(value: number): Millis {
  return (value * 60_000) as Millis
}

/** Hours as a {@link Millis}. */
export function hours(value: number): Millis {
  return (value * 3_600_000) as Millis
}

/** A number of bytes as {@link Bytes}. */
export function bytes(value: number): Bytes {
  return value as Bytes
}

/** Mebibytes (2^20) as {@link Bytes}. */
export function mebibytes(value: number): Bytes {
  return Math.round(value * 2 ** 20) as Bytes
}

/** Gibibytes (2^30) as {@link Bytes}. */
export function gibibytes(value: number): Bytes {
  return Math.round(value * 2 ** 30) as Bytes
}

/** An instant as UNIX nanoseconds, the form of all times inside tokens and envelopes (A §1.10). */
export function toNanos(instant: Millis): bigint {
  return BigInt(Math.round(instant)) * 1_000_000n
}

/** UNIX nanoseconds as an instant, rounded down; values past the year 275760 stay usable for comparison only. */
export function fromNanos(nanos: bigint): Millis {
  return Number(nanos / 1_000_000n) as Millis
}
