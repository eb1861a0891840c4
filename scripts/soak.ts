/**
 * Uses two real nodes on this machine for a while as people do, and watches whether anything grows.
 *
 * `npm run soak -- --minutes 30`; ends with 1 when heap or handles grew, or something failed.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createMachines, type TestMachine } from '../test/support/machine.ts'
import { type Observation, observe, quantile } from './hostile/observe.ts'
import { readSamples, type Trend, trendsOf } from './soak/samples.ts'
import { trafficBetween } from './soak/traffic.ts'

/** What may be more in the last quarter than in the second: collections come when they come. */
const MOST_GROWTH = 1.15

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } })
const minutes = Number(values.minutes)
if (!(minutes >= 2 && minutes <= 1440)) throw new Error(`--minutes must be a number from 2 to 1440, not ${values.minutes}`)

const directory = await mkdtemp(join(tmpdir(), 'nunet-soak-'))
const probe = fileURLToPath(new URL('soak/probe.cjs', import.meta.url))
const program = fileURLToPath(new URL('../bin/nunet', import.meta.url))
const machines = await createMachines({ command: process.execPath, args: ['--require', probe, program] })
try {
  const [provider, deployer] = [await machines.create('provider'), await machines.create('deployer')]
  await machines.trust(provider, deployer)
  await machines.trust(deployer, provider)
  for (const machine of [provider, deployer]) await machine.start({ SOAK_SAMPLES: samplesOf(machine) })
  const signal = AbortSignal.timeout(minutes * 60_000)
  const questions = await trafficBetween(provider, deployer)
  const told = tellTheTime(signal)
  const observations = await Promise.all(questions.map((question) => observe(question, signal)))
  await told
  let failed = report(observations)
  for (const [name, machine] of [['provider', provider] as const, ['deployer', deployer] as const]) {
    const trends = trendsOf(await readSamples(samplesOf(machine)))
    console.log(`${name}, a quarter of the time each:`)
    for (const trend of trends) console.log(`  ${describe(trend)}`)
    failed ||= trends.slice(1, 3).some(({ growth }) => growth > MOST_GROWTH)
  }
  if (failed) process.exitCode = 1
} finally {
  await machines.dispose()
  await rm(directory, { recursive: true, force: true })
}

function samplesOf(machine: TestMachine): string {
  return join(directory, `${machine.dms.peerId}.jsonl`)
}

async function tellTheTime(signal: AbortSignal): Promise<void> {
  for (let minute = 0; !signal.aborted; minute += 1) {
    if (minute % 5 === 0) console.log(`${minute} of ${minutes} minutes`)
    await pause(60_000, undefined, { signal }).catch(() => undefined) // the end
  }
}

/** Whether anything failed. */
function report(observations: readonly Observation[]): boolean {
  for (const { name, milliseconds, failures } of observations) {
    const [half, most] = [0.5, 0.99].map((part) => `${quantile(milliseconds, part).toFixed(0)} ms`)
    console.log(`${name}: ${milliseconds.length} times, median ${half}, 99 % ${most}; ${failures.length} failures`)
    for (const failure of new Set(failures)) console.log(`  ${failure.slice(0, 200)}`)
  }
  return observations.some(({ failures }) => failures.length > 0)
}

function describe({ name, quarters, growth }: Trend): string {
  return `${name}: ${quarters.map((value) => value.toFixed(1)).join(', ')} (${((growth - 1) * 100).toFixed(0)} % from the second to the last)`
}
