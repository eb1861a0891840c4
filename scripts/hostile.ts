/**
 * Attacks a real node on this machine for some minutes, over libp2p and REST, while its owner and an honest node use it.
 *
 * `npm run hostile -- --minutes 5 [part of the name of an attack …]`; ends with 1 when the node did not stand.
 */
import { parseArgs } from 'node:util'
import { quantile } from './hostile/observe.ts'
import { besiege, type Siege } from './hostile/siege.ts'

const { values, positionals } = parseArgs({
  options: { minutes: { type: 'string', default: '5' } },
  allowPositionals: true
})
const minutes = Number(values.minutes)
if (!(minutes > 0 && minutes <= 600)) throw new Error(`--minutes must be a number from 0 to 600, not ${values.minutes}`)

/** The owner waits no longer than this. */
const OWNER_LIMIT_MS = 1000

report(await besiege({ seconds: minutes * 60, attacks: positionals, calmSeconds: 120, say: console.log }))

function report({ before, most, after, isUp, observations, attacks }: Siege): void {
  for (const [name, count] of attacks) console.log(`  ${String(count).padStart(9)} × ${name}`)
  for (const { name, milliseconds, failures } of observations) {
    const [half, nearly, all] = [0.5, 0.99, 1].map((part) => `${quantile(milliseconds, part).toFixed(0)} ms`)
    console.log(
      `${name}: ${milliseconds.length} answers, median ${half}, 99 % ${nearly}, longest ${all}; ${failures.length} failures`
    )
    for (const failure of new Set(failures)) console.log(`  ${failure.slice(0, 200)}`)
  }
  const share = after.residentMiB / before.residentMiB
  console.log(
    `memory: ${before.residentMiB.toFixed(0)} MiB before, ${most.residentMiB.toFixed(0)} at most, ${after.residentMiB.toFixed(0)} after (${(share * 100).toFixed(0)} %)`
  )
  console.log(`descriptors: ${before.descriptors} before, ${most.descriptors} at most, ${after.descriptors} after`)
  const owner = observations[0]
  const checks: readonly (readonly [string, boolean])[] = [
    ['the node is up', isUp],
    [`the owner never waited for ${OWNER_LIMIT_MS} ms`, Math.max(...(owner?.milliseconds ?? [Number.NaN])) < OWNER_LIMIT_MS],
    ['the owner was always answered', owner?.failures.length === 0],
    ['the honest node was served', observations.slice(2).every(({ failures }) => failures.length === 0)],
    ['memory is back within 20 %', share <= 1.2]
  ]
  for (const [what, holds] of checks) console.log(`${holds ? 'yes' : 'NO '}  ${what}`)
  if (!checks.every(([, holds]) => holds)) process.exitCode = 1
}
