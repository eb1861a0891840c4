/**
 * Has hostile jobs attack a real provider on this machine, and judges what they achieved.
 *
 * `npm run abuse`, or `npm run abuse -- --short`; ends with 1 when an attempt was not contained that should have been, when the owner
 * was not answered within a second, or when anything is left on the machine.
 */
import { parseArgs } from 'node:util'
import { type AbuseReport, abuse } from './abuse/abuse.ts'
import type { Attempt } from './abuse/attempt.ts'
import { judgeAbuse } from './abuse/judge.ts'
import { quantile } from './hostile/observe.ts'

/** The owner waits no longer than this. */
const OWNER_LIMIT_MS = 1000

const { values } = parseArgs({ options: { short: { type: 'boolean', default: false } } })
const report = await abuse({ isShort: values.short, say: console.log })
tell(report)
const wrong = judgeAbuse(report, OWNER_LIMIT_MS)
for (const line of wrong) console.log(`WRONG  ${line}`)
console.log(wrong.length === 0 ? 'the machine stood' : `${wrong.length} things are wrong`)
if (wrong.length > 0) process.exitCode = 1

function tell({ attempts, owner, offer, free, left }: AbuseReport): void {
  const width = Math.min(70, Math.max(...attempts.map(({ name }) => name.length)))
  for (const executor of new Set(attempts.map((attempt) => attempt.executor))) {
    console.log(`\n${executor}`)
    for (const attempt of attempts.filter((each) => each.executor === executor)) {
      console.log(`  ${verdict(attempt).padEnd(14)} ${attempt.name.padEnd(width)}  ${attempt.evidence}`)
    }
  }
  console.log('')
  for (const executor of new Set(attempts.map((attempt) => attempt.executor))) {
    const own = attempts.filter((attempt) => attempt.executor === executor)
    const [contained, known] = [own.filter(({ isContained }) => isContained), own.filter((attempt) => isKnown(attempt))]
    console.log(`${executor}: ${own.length} attempts, ${contained.length} contained, ${known.length} known gaps`)
  }
  for (const gap of new Set(attempts.filter(isKnown).map(({ knownGap }) => knownGap))) console.log(`known gap: ${gap}`)
  const [half, nearly, most] = [0.5, 0.99, 1].map((part) => `${quantile(owner.milliseconds, part).toFixed(0)} ms`)
  console.log(
    `the owner asked ${owner.milliseconds.length} times: median ${half}, 99 % ${nearly}, longest ${most}; ${owner.failures.length} failures`
  )
  console.log(
    `lent ${JSON.stringify(offer)}, free in the end ${JSON.stringify(free)}; left behind: ${left.length === 0 ? 'nothing' : left.length}`
  )
}

function isKnown({ isContained, knownGap }: Attempt): boolean {
  return !isContained && knownGap !== undefined
}

function verdict(attempt: Attempt): string {
  if (attempt.isContained) return 'contained'
  return isKnown(attempt) ? 'open (known)' : 'NOT CONTAINED'
}
