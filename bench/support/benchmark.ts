import type { Comparison } from './compare.ts'
import type { Scratch } from './scratch.ts'

/** The units that figures are printed in. */
export type Unit = 'ms' | 'MiB'

/** One benchmark: a yardstick, and what of ours is held against it. */
export interface Benchmark {
  /** By which it is chosen on the command line. */
  readonly name: string
  readonly title: string
  readonly unit: Unit
  /** `true`, or why it cannot run here. */
  available(): Promise<true | string>
  /** Leaves nothing behind but what the scratch takes away. */
  run(scratch: Scratch): Promise<Outcome>
}

/** What a benchmark found. */
export interface Outcome extends Comparison {
  /** What a reader must know to understand the figures, such as the sizes that were measured. */
  readonly notes: readonly string[]
}
