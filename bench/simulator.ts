import { generateKeyPair, verifySignature } from '../src/identity/index.ts'
import type { Workload } from '../src/testing/index.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { type Measured, summarize } from './support/compare.ts'
import { isBuilt } from './support/dms.ts'

/** Nodes of the worlds; the largest takes minutes, so each is simulated once for each of the rounds. */
const SIZES = [10, 100, 1000] as const
const ROUNDS = 1

/** One signature and its verification, so many times, are the yardstick: what no simulated message can do without. */
const SIGNATURES = 2000

/** Mean pause of each owner between two deeds, whatever the size of the world. */
const PAUSE_OF_ONE_OWNER_MS = 3 * 3_600_000

type Testing = typeof import('../src/testing/index.ts')

/** What an hour of a world costs, and how that grows with the world. */
export const simulator: Benchmark = {
  name: 'simulator',
  title: `Simulating an hour of a world with all faults to ${SIGNATURES} Ed25519 signatures and verifications`,
  unit: 'ms',
  available: isBuilt,
  async run(): Promise<Outcome> {
    const testing = (await import(new URL('../dist/testing/index.js', import.meta.url).href)) as Testing
    const yardstick: Measured & { readonly values: number[] } = { name: 'signatures and verifications', values: [] }
    const subjects = SIZES.map((nodes) => ({ nodes, name: `an hour of ${nodes} nodes`, values: [] as number[] }))
    await simulateHour(testing, 10, 'warm-up')
    for (let round = 1; round <= ROUNDS; round += 1) {
      yardstick.values.push(await signAndVerify())
      for (const { nodes, values } of subjects) values.push(await simulateHour(testing, nodes, String(round)))
    }
    const perNode = subjects.map(({ nodes, values }) => (values[0] ?? 0) / nodes)
    const growth = perNode.map((cost) => `${(cost / (perNode[0] ?? 1)).toFixed(2)} ×`).join(', ')
    const costs = perNode.map((cost) => `${cost.toFixed(0)} ms`).join(', ')
    const notes = [`for each node: ${costs} (${growth}) in worlds of ${SIZES.join(', ')} nodes`, memoryNote()]
    return { ...summarize({ yardstick, subjects }), notes }
  }
}

async function signAndVerify(): Promise<number> {
  const key = generateKeyPair()
  const message = new Uint8Array(1000)
  return processorTime(async () => {
    for (let index = 0; index < SIGNATURES; index += 1) {
      message[0] = index & 0xff
      verifySignature(key.did, message, await key.sign(message))
    }
  })
}

async function simulateHour({ simulate, parseFaults, WORKLOADS }: Testing, nodes: number, seed: string): Promise<number> {
  const workload: Workload = { summary: '', pause: PAUSE_OF_ONE_OWNER_MS / nodes, deeds: WORKLOADS['mixed']?.deeds ?? [] }
  const faults = parseFaults('all')
  return processorTime(async () => {
    const { violations } = await simulate({ seed, nodes, hours: 1, faults, workload, comesToRest: false })
    if (violations.length > 0) throw new Error(`the simulation found a fault: ${violations[0]?.message}`)
  })
}

/** Milliseconds of processor time: nothing here waits for anything, and a busy machine takes minutes longer for the same. */
async function processorTime(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function memoryNote(): string {
  return `this process had ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB at most`
}
