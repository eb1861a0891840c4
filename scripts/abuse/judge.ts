import { quantile } from '../hostile/observe.ts'
import type { AbuseReport } from './abuse.ts'

/** What must not be after any attack, one line each; empty when the machine stood. Known gaps are not among it. */
export function judgeAbuse({ attempts, owner, offer, free, left }: AbuseReport, ownerLimitMs: number): readonly string[] {
  const slow = owner.milliseconds.filter((milliseconds) => milliseconds > ownerLimitMs)
  return [
    ...attempts
      .filter(({ isContained, knownGap }) => !isContained && knownGap === undefined)
      .map(({ executor, name, evidence }) => `${executor}: ${name}: ${evidence}`),
    ...owner.failures.map((failure) => `the owner got no answer: ${failure.slice(0, 200)}`),
    ...(owner.milliseconds.length === 0 ? ['the owner was never answered'] : []),
    ...(slow.length === 0
      ? []
      : [`the owner waited longer than ${ownerLimitMs} ms ${slow.length} times, at most ${quantile(slow, 1).toFixed(0)} ms`]),
    ...(['cores', 'ram', 'disk'] as const)
      .filter((name) => free[name] !== offer[name])
      .map((name) => `${name}: ${free[name]} free of ${offer[name]} lent`),
    ...left.map((line) => `left behind: ${line.slice(0, 300)}`)
  ]
}
