import { type Spread, spreadOf } from './spread.ts'

/** Something that can be measured again and again. */
export interface Subject {
  readonly name: string
  /** One measurement, in the unit of the comparison. */
  measure(): Promise<number>
}

/** What a comparison found about one subject. */
export interface Figure {
  readonly name: string
  readonly value: Spread
  /** How many times the yardstick of the same round. */
  readonly ratio: Spread
}

/** A yardstick and what was held against it. */
export interface Comparison {
  readonly yardstick: Figure
  readonly figures: readonly Figure[]
}

/**
 * Measures the yardstick and all subjects in turns, so that whatever else the machine does hits all of them.
 *
 * Each round gives one ratio; every other round runs backwards. The first round only warms up.
 */
export async function compare(yardstick: Subject, subjects: readonly Subject[], rounds: number): Promise<Comparison> {
  const all = [yardstick, ...subjects]
  const values = new Map<Subject, number[]>(all.map((subject) => [subject, []]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const subject of round % 2 === 0 ? all : all.toReversed()) {
      const value = await subject.measure()
      if (round > 0) values.get(subject)?.push(value)
    }
  }
  const measured = (subject: Subject) => ({ name: subject.name, values: values.get(subject) ?? [] })
  return summarize({ yardstick: measured(yardstick), subjects: subjects.map(measured) })
}

/** The measurements of one thing, one for each round. */
export interface Measured {
  readonly name: string
  readonly values: readonly number[]
}

/** Holds measurements against those of a yardstick, round by round. */
export function summarize({ yardstick, subjects }: { yardstick: Measured; subjects: readonly Measured[] }): Comparison {
  const figureOf = ({ name, values }: Measured): Figure => {
    const ratios = values.map((value, round) => value / (yardstick.values[round] ?? Number.NaN))
    return { name, value: spreadOf(values), ratio: spreadOf(ratios) }
  }
  return { yardstick: figureOf(yardstick), figures: subjects.map(figureOf) }
}

/** Milliseconds that some work takes, per each of the `count` things it does. */
export async function timed(count: number, work: () => void | Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / count
}

/**
 * Milliseconds of processor time, of all threads of this process, per each of the `count` things that some work does.
 *
 * For work that waits for nothing: unlike the clock, it does not count what other processes took.
 */
export function computed(count: number, work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / count
}
