import type { ChaosReport } from './chaos.ts'

/** What must not be after any number of kills, one line each; empty when all is well. */
export function judgeChaos({ jobs, offer, free, left }: ChaosReport): readonly string[] {
  return [
    ...jobs.filter(({ runs }) => runs > 1).map(({ kind, name, runs }) => `${kind} ${name} ran ${runs} times`),
    ...jobs.filter(({ ends }) => ends !== 1).map(({ kind, name, ends }) => `${kind} ${name} has ${ends} recorded ends`),
    ...jobs
      .filter(({ outcome, runs, isComplete }) => outcome === 'Completed' && !(runs === 1 && isComplete))
      .map(
        ({ kind, name, runs, isComplete }) =>
          `${kind} ${name} completed, ran ${runs} times, output ${isComplete ? 'whole' : 'not whole'}`
      ),
    ...jobs
      .filter(({ outcome, runs }) => outcome !== 'Completed' && runs > 0)
      .map(({ kind, name, error }) => `${kind} ${name} ran and is told to have failed: ${error.slice(0, 200)}`),
    ...(['cores', 'ram', 'disk'] as const)
      .filter((name) => free[name] !== offer[name])
      .map((name) => `${name}: ${free[name]} free of ${offer[name]} lent`),
    ...left.map((line) => `left behind: ${line.slice(0, 300)}`)
  ]
}
