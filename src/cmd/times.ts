import type { Millis } from '../base/index.ts'

const UNITS: readonly (readonly [name: string, millis: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000]
]

/** How long ago an RFC 3339 time was, in its largest unit: `5d`, `3h`; `-` when it cannot be read, `0s` when it is to come. */
export function ageOf(time: string, now: Millis): string {
  const instant = Date.parse(time)
  if (Number.isNaN(instant)) return '-'
  const passed = Math.max(0, now - instant)
  const [name, size] = UNITS.find(([, millis]) => passed >= millis) ?? ['s', 1000]
  return `${Math.floor(passed / size)}${name}`
}
