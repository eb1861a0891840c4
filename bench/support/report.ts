import { cpus, loadavg, totalmem } from 'node:os'
import type { Benchmark, Outcome, Unit } from './benchmark.ts'
import type { Figure } from './compare.ts'
import { noiseOf, type Spread } from './spread.ts'

/** The machine, in one line: figures of two machines are not comparable, ratios nearly. */
export function describeMachine(): string {
  const processors = cpus()
  const model = processors[0]?.model ?? 'unknown processor'
  const load = (loadavg()[0] ?? 0).toFixed(1)
  return `Node ${process.version}, ${processors.length} × ${model}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, load ${load}`
}

/** The lines of one benchmark. */
export function describeOutcome({ title, unit }: Benchmark, { yardstick, figures, notes }: Outcome): string {
  const width = Math.max(...[yardstick, ...figures].map(({ name }) => name.length))
  return [
    title,
    `  yardstick      ${yardstick.name.padEnd(width)}  ${formatValue(yardstick.value, unit)}`,
    ...figures.map((figure) => `  ${formatRatio(figure)}  ${figure.name.padEnd(width)}  ${formatValue(figure.value, unit)}`),
    ...notes.map((note) => `  ${note}`)
  ].join('\n')
}

function formatRatio({ ratio }: Figure): string {
  const middle = `${formatNumber(ratio.median)} ×`
  return `${middle.padStart(8)}${formatNoise(ratio)}`
}

function formatValue(value: Spread, unit: Unit): string {
  const [factor, shown] = unit === 'ms' && value.median < 1 ? [1000, 'µs'] : [1, unit]
  const middle = `${formatNumber(value.median * factor)} ${shown}`
  return `${middle.padStart(10)}${formatNoise(value)}`
}

function formatNoise(spread: Spread): string {
  return ` ±${(100 * noiseOf(spread)).toFixed(0).padStart(3)} %`
}

/** Three significant digits. */
function formatNumber(value: number): string {
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
