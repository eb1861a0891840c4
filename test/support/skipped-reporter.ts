import type { Reporter, TestCase, TestModule } from 'vitest/node'

/**
 * Lists every skipped test with its reason at the end of a run: what was not shown must be seen.
 *
 * The reason is the note of `context.skip(note)`, or else stands in the title.
 */
export class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) => [...module.children.allTests('skipped')])
    if (skipped.length === 0) return
    process.stdout.write(`\n${skipped.length} skipped:\n${skipped.map(line).join('')}`)
  }
}

function line(test: TestCase): string {
  const result = test.result()
  const reason = result.state === 'skipped' && result.note !== undefined ? ` (${result.note})` : ''
  return `  - ${test.module.relativeModuleId}: ${test.fullName}${reason}\n`
}
