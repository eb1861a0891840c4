import { parseArgs } from 'node:util'
import { FAULTS, parseFaults, WORKLOADS } from '../../src/testing/index.ts'

/** What the command line asks for. */
export interface Order {
  readonly seeds: readonly string[]
  /** Inclusive; each seed takes its own number from it. */
  readonly nodes: { readonly from: number; readonly to: number }
  readonly hours: number
  /** As it was written, so that it can be repeated. */
  readonly faults: string
  readonly workload: string
  readonly isTraced: boolean
  readonly isRepeated: boolean
  readonly workers: number
  /** Whether it works for another process. */
  readonly isWorker: boolean
}

const list = (entries: Readonly<Record<string, string>>): string =>
  Object.entries(entries)
    .map(([name, summary]) => `    ${name.padEnd(14)}${summary}`)
    .join('\n')

/** What `--help` prints. */
export const USAGE = `usage: npm run sim -- [options]

  --seed S          what happens (default 1)
  --seeds A..B      many runs: the seeds A to B
  --nodes N | A..B  nodes of the world, or between A and B of them by the seed (default 10)
  --hours H         virtual hours of work and faults; some more follow until everything is at rest (default 24)
  --faults F        all, none, or names with commas between them; all,-hostile leaves one out (default all)
  --workload W      what the owners do (default mixed)
  --trace           prints what happens
  --repeat          runs every seed twice and compares
  --workers N       processes that share the seeds (default 1)

faults:
${list(FAULTS)}

workloads:
${list(Object.fromEntries(Object.entries(WORKLOADS).map(([name, { summary }]) => [name, summary])))}
`

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const

/** Reads the arguments; throws with what is wrong and what would be right. */
export function parseOrder(argv: readonly string[]): Order | 'help' {
  const options = {
    seed: text,
    seeds: text,
    nodes: text,
    hours: text,
    faults: text,
    workload: text,
    workers: text,
    trace: flag,
    repeat: flag,
    worker: flag,
    help: { ...flag, short: 'h' }
  }
  const { values } = parseArgs({ args: [...argv], options })
  if (values.help) return 'help'
  const { seed, seeds, nodes = '10', faults = 'all', workload = 'mixed' } = values
  if (seed !== undefined && seeds !== undefined) throw new Error('give --seed or --seeds, not both')
  parseFaults(faults)
  if (!Object.hasOwn(WORKLOADS, workload))
    throw new Error(`there is no workload ${JSON.stringify(workload)}; there are ${Object.keys(WORKLOADS).join(', ')}`)
  return {
    seeds: seeds === undefined ? [seed ?? '1'] : seedsOf(seeds),
    nodes: range('nodes', nodes, 1000),
    hours: positive('hours', values.hours ?? '24', 10_000),
    faults,
    workload,
    isTraced: values.trace,
    isRepeated: values.repeat,
    workers: Math.floor(positive('workers', values.workers ?? '1', 64)),
    isWorker: values.worker
  }
}

/** How many nodes the world of a seed has. */
export function nodesOf({ nodes }: Order, seed: string): number {
  const spread = nodes.to - nodes.from + 1
  const number = [...seed].reduce((sum, character) => (sum * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003, 7)
  return nodes.from + (number % spread)
}

function seedsOf(value: string): readonly string[] {
  const { from, to } = range('seeds', value, Number.MAX_SAFE_INTEGER)
  if (to - from >= 1_000_000) throw new Error(`--seeds ${value} are too many`)
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index))
}

function range(name: string, value: string, most: number): { readonly from: number; readonly to: number } {
  const [, first = '', last = first] = /^(\d+)(?:\.\.(\d+))?$/.exec(value) ?? []
  const [from, to] = [Number(first), Number(last)]
  if (first === '' || from < 1 || to < from || to > most)
    throw new Error(`--${name} must be a number or a range such as 5..20, at most ${most}, not ${JSON.stringify(value)}`)
  return { from, to }
}

function positive(name: string, value: string, most: number): number {
  const number = Number(value)
  if (Number.isFinite(number) && number > 0 && number <= most) return number
  throw new Error(`--${name} must be a number above 0, at most ${most}, not ${JSON.stringify(value)}`)
}
