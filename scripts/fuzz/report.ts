import type { FuzzReport } from './run.ts'

/** Reasons of refusals that are listed. */
const MAX_REASONS = 12

/** A run in lines for people. */
export function describeReport(report: FuzzReport): string {
  const { target, seed, seconds, inputs, accepted, rejected, reasons, slowest, findings } = report
  const speed = Math.round(inputs / Math.max(seconds, 0.001))
  const shown = [...reasons].slice(0, MAX_REASONS)
  const others = [...reasons].slice(MAX_REASONS).reduce((sum, [, count]) => sum + count, 0)
  return [
    `${target}: ${inputs} inputs in ${seconds.toFixed(1)} s (${speed}/s, seed ${seed}): ${accepted} accepted, ${rejected} rejected, ${findings.length} findings`,
    `  slowest input: number ${slowest.index}, ${slowest.millis.toFixed(1)} ms`,
    ...shown.map(([reason, count]) => `  ${String(count).padStart(9)}  ${reason}`),
    ...(others === 0 ? [] : [`  ${String(others).padStart(9)}  for ${reasons.size - MAX_REASONS} other reasons`]),
    ...findings.map(({ index, property }) => `  FINDING at input ${index}: not true: ${property}`)
  ].join('\n')
}
