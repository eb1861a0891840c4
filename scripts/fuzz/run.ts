import { setImmediate } from 'node:timers/promises'
import { createChance } from './chance.ts'
import { minimise } from './minimise.ts'
import { DEFAULT_LIMIT, type FuzzSession, type FuzzTarget, type Outcome, ViolationError } from './target.ts'

/** How long to fuzz, and from which seed. */
export interface FuzzOptions {
  readonly seed: number
  /** Number of the first input; default 0. */
  readonly from?: number
  /** Inputs to try; without it, `seconds` decides. */
  readonly runs?: number
  readonly seconds?: number
  /** Tries to make the input of a finding shorter; default {@link DEFAULT_TRIES}. */
  readonly minimiseTries?: number
  /** Ends the run early, with the counts so far. */
  readonly signal?: AbortSignal
  /** Told the number of each input before it is tried. */
  readonly onInput?: (index: number) => void
}

/** An input for which a property does not hold. */
export interface Finding {
  readonly index: number
  readonly property: string
  /** The shortest input found that breaks the same property. */
  readonly input: string
}

/** What a run found. */
export interface FuzzReport {
  readonly target: string
  readonly seed: number
  readonly seconds: number
  readonly inputs: number
  readonly accepted: number
  readonly rejected: number
  /** Numbers of inputs by reason, most frequent first. */
  readonly reasons: ReadonlyMap<string, number>
  readonly slowest: { readonly millis: number; readonly index: number }
  readonly findings: readonly Finding[]
}

/** Different findings after which a run ends. */
const MAX_FINDINGS = 5

/** Inputs between two looks at the clock and at signals. */
const BATCH = 32

/** Tries inputs one after another until the time is over, the inputs are used up, or too much is wrong. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzReport> {
  const {
    seed,
    from = 0,
    runs = Number.POSITIVE_INFINITY,
    seconds = Number.POSITIVE_INFINITY,
    signal,
    onInput,
    minimiseTries
  } = options
  const session = await target.open(createChance(seed, -1))
  const started = performance.now()
  const tally = createTally()
  try {
    for (let index = from; index < from + runs && tally.findings.size < MAX_FINDINGS; index += 1) {
      if (index % BATCH === 0) {
        await setImmediate()
        if (signal?.aborted === true || performance.now() - started > seconds * 1000) break
      }
      onInput?.(index)
      const input = session.make(createChance(seed, index))
      const trial = await attempt(session, input)
      if (tally.add(index, trial)) {
        const shortest =
          trial.isHang === true
            ? input
            : await minimise(input, (shorter) => breaks(session, shorter, trial.property), minimiseTries)
        tally.findings.set(trial.property ?? '', { index, property: trial.property ?? '', input: shortest })
      }
    }
  } finally {
    await session.dispose()
  }
  return { target: target.name, seed, seconds: (performance.now() - started) / 1000, ...tally.result() }
}

interface Trial {
  readonly millis: number
  readonly outcome?: Outcome
  /** The property that was broken. */
  readonly property?: string
  readonly isHang?: boolean
}

async function attempt(session: FuzzSession, input: string): Promise<Trial> {
  const trial = await once(session, input)
  const limit = session.limitMillis?.(input) ?? DEFAULT_LIMIT
  if (trial.millis <= limit || trial.property !== undefined) return trial
  // A busy machine and the collector of garbage make anything slow once: only what is slow again is slow.
  const again = Math.min((await once(session, input)).millis, (await once(session, input)).millis)
  if (again <= limit) return { ...trial, millis: again }
  return { ...trial, millis: again, property: `takes no longer than ${limit} ms`, isHang: true }
}

async function once(session: FuzzSession, input: string): Promise<Trial> {
  const started = performance.now()
  try {
    const outcome = await session.check(input)
    return { millis: outcome.millis ?? performance.now() - started, outcome }
  } catch (error) {
    return { millis: performance.now() - started, property: propertyOf(error) }
  }
}

function propertyOf(error: unknown): string {
  if (error instanceof ViolationError) return error.message
  const place = error instanceof Error ? (error.stack?.split('\n').find((line) => line.includes('/src/')) ?? '').trim() : ''
  return `throws nothing unexpected: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)} ${place}`.trim()
}

async function breaks(session: FuzzSession, input: string, property: string | undefined): Promise<boolean> {
  return (await once(session, input)).property === property
}

interface Tally {
  readonly findings: Map<string, Finding>
  /** Counts a trial; true when it broke a property that none before it broke. */
  add(index: number, trial: Trial): boolean
  result(): Pick<FuzzReport, 'inputs' | 'accepted' | 'rejected' | 'reasons' | 'slowest' | 'findings'>
}

function createTally(): Tally {
  const findings = new Map<string, Finding>()
  const reasons = new Map<string, number>()
  let [inputs, accepted, rejected] = [0, 0, 0]
  let slowest = { millis: 0, index: 0 }
  return {
    findings,
    add(index, { millis, outcome, property }) {
      inputs += 1
      if (millis > slowest.millis) slowest = { millis, index }
      if (outcome?.accepted === true) accepted += 1
      if (outcome?.accepted === false) {
        rejected += 1
        reasons.set(outcome.reason, (reasons.get(outcome.reason) ?? 0) + 1)
      }
      return property !== undefined && !findings.has(property)
    },
    result() {
      const byCount = new Map([...reasons].sort(([, a], [, b]) => b - a))
      return { inputs, accepted, rejected, reasons: byCount, slowest, findings: [...findings.values()] }
    }
  }
}
