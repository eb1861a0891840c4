import { performance } from 'node:perf_hooks'
import { parseFaults, type SimulationResult, simulate } from '../../src/testing/index.ts'
import { nodesOf, type Order } from './order.ts'
import { type SeedReport, serveSeeds, shareSeeds } from './pool.ts'

/** Runs all seeds of an order and prints how each went; whether all were good. */
export async function runOrder(order: Order, argv: readonly string[]): Promise<boolean> {
  const begun = performance.now()
  const bad: string[] = []
  const report = ({ seed, isGood, text }: SeedReport): void => {
    if (!isGood) bad.push(seed)
    console.log(text)
  }
  if (order.workers > 1 && order.seeds.length > 1) await shareSeeds(order.seeds, order.workers, argv, report)
  else for (const seed of order.seeds) report(await runSeed(order, seed))
  if (order.seeds.length > 1) console.log(describeAll(order, bad, (performance.now() - begun) / 1000))
  return bad.length === 0
}

/** Runs the seeds that another process sends, until it ends. */
export function runForParent(order: Order): void {
  serveSeeds((seed) => runSeed(order, seed))
}

async function runSeed(order: Order, seed: string): Promise<SeedReport> {
  const begun = performance.now()
  const result = await simulateOnce(order, seed, order.isTraced)
  const text = describe(order, seed, result, (performance.now() - begun) / 1000)
  if (result.violations.length > 0) return { seed, isGood: false, text: `${text}\n${describeFailure(order, seed, result)}` }
  if (!order.isRepeated) return { seed, isGood: true, text }
  const again = await simulateOnce(order, seed, false)
  if (again.hash === result.hash) return { seed, isGood: true, text: `${text}, the same again` }
  return { seed, isGood: false, text: `${text}\n  VIOLATED repetition: the second run went another way: ${again.hash}` }
}

function simulateOnce(order: Order, seed: string, isTraced: boolean): Promise<SimulationResult> {
  const { hours, workload } = order
  return simulate({
    seed,
    nodes: nodesOf(order, seed),
    hours,
    faults: parseFaults(order.faults),
    workload,
    ...(isTraced ? { print: (line: string) => console.log(line) } : {})
  })
}

function describe(order: Order, seed: string, { hash, events, simulated }: SimulationResult, seconds: number): string {
  const speed = Math.round(simulated / seconds)
  const nodes = nodesOf(order, seed)
  return `seed ${seed}: ${nodes} nodes, ${(simulated / 3600).toFixed(1)} h, ${events} events in ${seconds.toFixed(1)} s (${speed} s/s), trace ${hash.slice(0, 16)}`
}

function describeFailure(order: Order, seed: string, { violations, recent }: SimulationResult): string {
  const { hours, faults, workload } = order
  const command = `npm run sim -- --seed ${seed} --nodes ${nodesOf(order, seed)} --hours ${hours} --faults ${faults} --workload ${workload}`
  const found = violations.map(({ invariant, message }) => `  VIOLATED ${invariant}: ${message}`)
  return [...found, '  the last events:', ...recent.map((line) => `    ${line}`), `  again: ${command}`].join('\n')
}

function describeAll({ seeds }: Order, bad: readonly string[], seconds: number): string {
  const outcome = bad.length === 0 ? 'no invariant violated' : `violations with ${bad.length}: ${bad.join(', ')}`
  return `${seeds.length} seeds in ${seconds.toFixed(0)} s: ${outcome}`
}
