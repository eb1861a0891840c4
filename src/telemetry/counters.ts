/** Named counts of things too frequent to log one by one, such as refused messages by reason. */
export interface Counters {
  /** Adds to a count; a name not seen before begins at zero. */
  increment(name: string, by?: number): void
  /** All counts now, in order of name. */
  snapshot(): Readonly<Record<string, number>>
}

/** Options of {@link createCounters}. */
export interface CountersOptions {
  /** Most names that are told apart; default 1000. What comes after that is counted as {@link OTHER}. */
  readonly maxNames?: number
}

/** Where counts go when there are too many names: a stranger must not be able to fill the memory with names. */
export const OTHER = 'other'

const MAX_NAME_LENGTH = 128

/** Creates a set of {@link Counters}, all zero. */
export function createCounters({ maxNames = 1000 }: CountersOptions = {}): Counters {
  const counts = new Map<string, number>()
  return {
    increment(name, by = 1) {
      const isKnown = counts.has(name) || (counts.size < maxNames && name.length <= MAX_NAME_LENGTH)
      const counted = isKnown ? name : OTHER
      counts.set(counted, (counts.get(counted) ?? 0) + by)
    },
    snapshot: () => Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
