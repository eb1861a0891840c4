/**
 * Fuzzing: `npm run fuzz -- --target token --seconds 60 --seed 7`. Tries mutated inputs against the properties of one target, or of
 * all, and ends with 1 when one does not hold. The same seed and `--runs` try the same inputs.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { errorMessage } from '../src/base/index.ts'
import { createChance } from './fuzz/chance.ts'
import { describeReport } from './fuzz/report.ts'
import { type Finding, fuzz } from './fuzz/run.ts'
import type { FuzzTarget } from './fuzz/target.ts'
import { TARGETS } from './fuzz/targets/index.ts'
import { startWatchdog } from './fuzz/watchdog.ts'

const USAGE = `usage: npm run fuzz -- --target ${Object.keys(TARGETS).join('|')}|all [options]

  --seconds N     how long to try inputs, for each target (default 60)
  --runs N        how many inputs to try instead
  --seed S        which inputs; printed, default from the clock
  --from I        number of the first input: with --runs 1, one input again
  --replay FILE   checks the text of a file instead
`

/** Longer reproducers are only written to a file. */
const MAX_PRINTED = 2048

interface Order {
  readonly targets: readonly FuzzTarget[]
  readonly seed: number
  readonly from: number
  readonly runs?: number
  readonly seconds?: number
  readonly replay?: string
}

function parseOrder(argv: readonly string[]): Order {
  const text = { type: 'string' } as const
  const options = { target: text, seconds: text, runs: text, seed: text, from: text, replay: text }
  const { values } = parseArgs({ args: [...argv], options })
  const { target = '', replay } = values
  const names = target === 'all' ? Object.keys(TARGETS) : [target]
  const targets = names.map((name) => {
    const create = Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined
    if (create === undefined)
      throw new Error(`--target must be one of ${Object.keys(TARGETS).join(', ')} or all, not ${JSON.stringify(name)}`)
    return create()
  })
  const runs = integer('runs', values.runs)
  const seconds = integer('seconds', values.seconds) ?? (runs === undefined ? 60 : undefined)
  return {
    targets,
    seed: integer('seed', values.seed) ?? Date.now() % 2 ** 32,
    from: integer('from', values.from) ?? 0,
    ...(runs === undefined ? {} : { runs }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(replay === undefined ? {} : { replay })
  }
}

function integer(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new Error(`--${name} must be a whole number, not ${JSON.stringify(text)}`)
  return value
}

/** @returns Whether nothing was found. */
async function runAll({ targets, ...options }: Order): Promise<boolean> {
  const interrupt = new AbortController()
  process.on('SIGINT', () => interrupt.abort()).on('SIGTERM', () => interrupt.abort())
  let isGood = true
  for (const target of targets) {
    if (interrupt.signal.aborted) break
    console.log(`${target.name}: ${target.about} (seed ${options.seed})`)
    const watchdog = await startWatchdog((index) => `${target.name}: input ${index} of seed ${options.seed} does not end`)
    try {
      const report = await fuzz(target, { ...options, signal: interrupt.signal, onInput: watchdog.onInput })
      console.log(describeReport(report))
      for (const finding of report.findings) await tell(target.name, options.seed, finding)
      isGood &&= report.findings.length === 0
    } finally {
      await watchdog.stop()
    }
  }
  return isGood
}

async function tell(target: string, seed: number, { index, input }: Finding): Promise<void> {
  const path = join(tmpdir(), `dms-fuzz-${target}-${seed}-${index}.txt`)
  await writeFile(path, input)
  console.log(`  input ${index}: ${path}; again: npm run fuzz -- --target ${target} --seed ${seed} --from ${index} --runs 1`)
  if (input.length <= MAX_PRINTED) console.log(`  ${JSON.stringify(input)}\n  base64 ${Buffer.from(input).toString('base64')}`)
}

/** @returns Whether every property holds for the text of a file. */
async function replayFile({ targets, seed }: Order, path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8')
  let isGood = true
  for (const target of targets) {
    const session = await target.open(createChance(seed, -1))
    try {
      console.log(`${target.name}:`, await session.check(text))
    } catch (error) {
      isGood = false
      console.log(`${target.name}: FINDING: not true: ${errorMessage(error)}`)
    } finally {
      await session.dispose()
    }
  }
  return isGood
}

async function main(argv: readonly string[]): Promise<number> {
  try {
    const order = parseOrder(argv)
    const isGood = order.replay === undefined ? await runAll(order) : await replayFile(order, order.replay)
    return isGood ? 0 : 1
  } catch (error) {
    console.error(`Error: ${errorMessage(error)}\n\n${USAGE}`)
    return 2
  }
}

process.exitCode = await main(process.argv.slice(2))
