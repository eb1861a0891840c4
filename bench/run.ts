import { broadcasts } from './broadcasts.ts'
import { commandLine } from './command-line.ts'
import { deployment } from './deployment.ts'
import { envelopes } from './envelopes.ts'
import { executable } from './executable.ts'
import { imagePull } from './image-pull.ts'
import { memory } from './memory.ts'
import { messages } from './messages.ts'
import { quicRoundTrips, roundTrips } from './round-trips.ts'
import { simulator } from './simulator.ts'
import { startUp } from './start-up.ts'
import type { Benchmark } from './support/benchmark.ts'
import { describeMachine, describeOutcome } from './support/report.ts'
import { createScratch } from './support/scratch.ts'

const BENCHMARKS: readonly Benchmark[] = [
  envelopes,
  messages,
  roundTrips,
  quicRoundTrips,
  broadcasts,
  commandLine,
  executable,
  startUp,
  deployment,
  imagePull,
  memory,
  simulator
]

/** Runs the benchmarks that the command line names, or all: `npm run bench -- envelopes memory`. */
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
  const scratch = await createScratch()
  const interrupt = (): void => {
    void scratch.dispose().finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  try {
    return describeOutcome(benchmark, await benchmark.run(scratch))
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    await scratch.dispose()
  }
}

await main(process.argv.slice(2))
