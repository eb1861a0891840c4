/**
 * Kills real daemons with SIGKILL at random moments while jobs start, run and end, and judges what is left of it.
 *
 * `npm run chaos -- --times 200 --seed 1`; ends with 1 when a job ran twice, has no outcome or not one, when the resources are not
 * back, or when something is left on the machine.
 */
import { parseArgs } from 'node:util'
import { type ChaosReport, wreakHavoc } from './chaos/chaos.ts'
import { judgeChaos } from './chaos/judge.ts'

const { values } = parseArgs({ options: { times: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } } })
const [times, seed] = [Number(values.times), Number(values.seed)]
if (!(Number.isInteger(times) && times > 0)) throw new Error(`--times must be a whole number of kills, not ${values.times}`)
if (!(Number.isInteger(seed) && seed >= 0)) throw new Error(`--seed must be a whole number, not ${values.seed}`)

const began = performance.now()
const report = await wreakHavoc({ times, seed, say: console.log })
tell(report)
const wrong = judgeChaos(report)
for (const line of wrong) console.log(`WRONG  ${line}`)
console.log(
  `${wrong.length === 0 ? 'all is well' : `${wrong.length} things are wrong`} after ${((performance.now() - began) / 60_000).toFixed(1)} minutes`
)
if (wrong.length > 0) process.exitCode = 1

function tell({ kills, jobs, restartMs, free, offer, left }: ChaosReport): void {
  console.log(`killed: the provider ${kills.provider} times, the deployer ${kills.deployer} times`)
  for (const kind of new Set(jobs.map((job) => job.kind))) {
    const own = jobs.filter((job) => job.kind === kind)
    const runs = (count: number) => own.filter((job) => job.runs === count).length
    console.log(
      `${kind}: ${own.length} jobs, ${own.filter(({ outcome }) => outcome === 'Completed').length} completed, ` +
        `ran never ${runs(0)}, once ${runs(1)}, more often ${own.length - runs(0) - runs(1)}`
    )
  }
  for (const { kind, name, error, runs } of jobs.filter(({ outcome }) => outcome !== 'Completed')) {
    console.log(`  ${kind} ${name}: ran ${runs} times, failed: ${error.slice(0, 200)}`)
  }
  const sorted = restartMs.toSorted((a, b) => a - b)
  console.log(
    `restart until it answers: median ${(sorted[sorted.length >> 1] ?? 0).toFixed(0)} ms, longest ${(sorted.at(-1) ?? 0).toFixed(0)} ms`
  )
  console.log(
    `lent ${JSON.stringify(offer)}, free in the end ${JSON.stringify(free)}; left behind: ${left.length === 0 ? 'nothing' : left.length}`
  )
}
