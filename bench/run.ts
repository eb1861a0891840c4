import { envelopes } from './envelopes.ts'
import { roundTrips } from './round-trips.ts'
import type { Benchmark } from './support/benchmark.ts'
import { describeMachine, describeOutcome } from './support/report.ts'

const BENCHMARKS: readonly Benchmark[] = [envelopes, roundTrips]

/** Runs the benchmarks that the command line names, or all: `npm run bench -- envelopes`. */
async function main(wanted: readonly string[]): Promise<void> {
  const names = BENCHMARKS.map(({ name }) => name)
  const unknown = wanted.find((name) => !names.includes(name))
  if (unknown !== undefined) throw new Error(`there is no benchmark ${unknown}; there are ${names.join(', ')}`)
  console.log(`${describeMachine()}\n`)
  for (const benchmark of BENCHMARKS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    console.log(`${await runOne(benchmark)}\n`)
  }
}

async function runOne(benchmark: Benchmark): Promise<string> {
  const available = await benchmark.available()
  if (available !== true) return `${benchmark.title}\n  not run: ${available}`
  return describeOutcome(benchmark, await benchmark.run())
}

await main(process.argv.slice(2))
