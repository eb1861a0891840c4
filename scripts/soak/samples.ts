import { readFile } from 'node:fs/promises'

/** What a daemon held at one moment, as probe.cjs writes it. */
export interface Sample {
  /** Since the start of the process. */
  readonly seconds: number
  readonly residentMiB: number
  readonly heapMiB: number
  /** Open handles and requests. */
  readonly handles: number
  /** 99th percentile, and the longest, of how late the event loop was since the sample before. */
  readonly delayMs: number
  readonly delayMaxMs: number
}

/** Reads the samples of a daemon. */
export async function readSamples(file: string): Promise<readonly Sample[]> {
  const text = await readFile(file, 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Sample)
}

/** One figure over the time of a soak: its median in each quarter. */
export interface Trend {
  readonly name: string
  readonly quarters: readonly number[]
  /** The last quarter to the second; the first warms up. */
  readonly growth: number
}

/** What became of each figure. The heap counts at its lowest of each minute, when its garbage has just been collected. */
export function trendsOf(samples: readonly Sample[]): readonly Trend[] {
  const figures: readonly (readonly [string, (sample: Sample) => number, typeof median])[] = [
    ['resident memory, MiB', ({ residentMiB }) => residentMiB, median],
    ['heap, MiB (lowest)', ({ heapMiB }) => heapMiB, lowest],
    ['handles', ({ handles }) => handles, median],
    ['event loop late by, ms (99 %)', ({ delayMs }) => delayMs, median]
  ]
  return figures.map(([name, read, middle]) => {
    const quarters = [0, 1, 2, 3].map((quarter) => {
      const [from, to] = [quarter, quarter + 1].map((part) => Math.floor((part * samples.length) / 4))
      return middle(samples.slice(from, to).map(read))
    })
    return { name, quarters, growth: (quarters[3] ?? Number.NaN) / (quarters[1] ?? Number.NaN) }
  })
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** The median of the lowest of every six values. */
function lowest(values: readonly number[]): number {
  const groups = Array.from({ length: Math.ceil(values.length / 6) }, (_, group) => values.slice(6 * group, 6 * group + 6))
  return median(groups.map((group) => Math.min(...group)))
}
