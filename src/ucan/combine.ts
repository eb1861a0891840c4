/** Something that covers some of what is wanted. */
export interface Cover<T> {
  readonly item: T
  readonly covered: readonly string[]
}

/** Steps of the exact search; beyond them the greedy choice stands, which is at most a few items longer. */
const MAX_STEPS = 20_000

/**
 * Chooses the fewest covers that together cover all of `wanted`; the earlier of equals.
 *
 * @returns Nothing when some of `wanted` is in no cover. Bounded: for more covers than can be searched the choice may be
 * larger than the smallest.
 */
export function fewestCovering<T>(wanted: readonly string[], covers: readonly Cover<T>[]): readonly Cover<T>[] | undefined {
  if (wanted.some((text) => !covers.some(({ covered }) => covered.includes(text)))) return undefined
  let best = chooseGreedily(wanted, covers)
  let steps = 0

  /** Branches over the covers of the text that is hardest to cover. */
  function search(left: readonly string[], chosen: readonly Cover<T>[]): void {
    steps += 1
    if (left.length === 0) {
      if (chosen.length < best.length) best = chosen
      return
    }
    if (chosen.length + 1 >= best.length || steps > MAX_STEPS) return
    const choices = left.map((text) => covers.filter(({ covered }) => covered.includes(text)))
    const fewest = choices.reduce((a, b) => (b.length < a.length ? b : a))
    for (const cover of fewest) {
      search(
        left.filter((text) => !cover.covered.includes(text)),
        [...chosen, cover]
      )
    }
  }

  search(wanted, [])
  return best
}

function chooseGreedily<T>(wanted: readonly string[], covers: readonly Cover<T>[]): readonly Cover<T>[] {
  const chosen: Cover<T>[] = []
  let left = wanted
  while (left.length > 0) {
    const gain = ({ covered }: Cover<T>): number => left.filter((text) => covered.includes(text)).length
    const next = covers.reduce((a, b) => (gain(b) > gain(a) ? b : a))
    chosen.push(next)
    left = left.filter((text) => !next.covered.includes(text))
  }
  return chosen
}
