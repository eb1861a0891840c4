/** Several measurements of one quantity: the middle, and the quarter below and above which the outer ones lie. */
export interface Spread {
  readonly median: number
  /** First quartile. */
  readonly low: number
  /** Third quartile. */
  readonly high: number
}

/** Summarizes at least one measurement. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) }
}

/** Half of the distance between the quartiles, as a part of the median: what is called noise here. */
export function noiseOf({ median, low, high }: Spread): number {
  return (high - low) / 2 / median
}

function quantile(sorted: readonly number[], part: number): number {
  const position = (sorted.length - 1) * part
  const below = sorted[Math.floor(position)] ?? Number.NaN
  const above = sorted[Math.ceil(position)] ?? Number.NaN
  return below + (above - below) * (position - Math.floor(position))
}
