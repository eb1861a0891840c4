import { performance } from 'node:perf_hooks'
import { parseFaults, type SimulationResult, simulate } from '../../src/testing/index.ts'
import { nodesOf, type Order } from './order.ts'

/** Runs all seeds of an order and prints how each went; whether all were good. */
export async function runOrder(order: Order): Promise<boolean> {
  let failures = 0
  for (const seed of order.seeds) if (!(await runSeed(order, seed))) failures += 1
  if (order.seeds.length > 1) console.log(`${order.seeds.length} seeds, ${failures} with violations`)
  return failures === 0
}

async function runSeed(order: Order, seed: string): Promise<boolean> {
  const begun = performance.now()
  const result = await simulateOnce(order, seed, order.isTraced)
  const seconds = (performance.now() - begun) / 1000
  console.log(describe(order, seed, result, seconds))
  if (result.violations.length > 0) {
    console.log(describeFailure(order, seed, result))
    return false
  }
  if (!order.isRepeated) return true
  const again = await simulateOnce(order, seed, false)
  if (again.hash === result.hash) return true
  console.log(`  the second run went another way: ${again.hash}, ${again.events} events`)
  return false
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
  return `seed ${seed}: ${nodes} nodes, ${(simulated / 3600).toFixed(1)} h, ${events} events in ${seconds.toFixed(1)} s (${speed} s/s), ${hash.slice(0, 16)}`
}

function describeFailure(order: Order, seed: string, { violations, recent }: SimulationResult): string {
  const { hours, faults, workload } = order
  const command = `npm run sim -- --seed ${seed} --nodes ${nodesOf(order, seed)} --hours ${hours} --faults ${faults} --workload ${workload}`
  const found = violations.map(({ invariant, message }) => `  VIOLATED ${invariant}: ${message}`)
  return [...found, '  the last events:', ...recent.map((line) => `    ${line}`), `  again: ${command}`].join('\n')
}
