// Prints `N passed, N failed, N skipped` from the JSON report of a test run; exits 1 unless something ran and nothing failed.
import { readFileSync } from 'node:fs'

const [file] = process.argv.slice(2)
if (file === undefined) {
  console.error('usage: node scripts/summary.mjs REPORT.json')
  process.exit(2)
}

const report = readReport(file)
const tests = report.testResults.flatMap((suite) => suite.assertionResults)
const count = (...states) => tests.filter(({ status }) => states.includes(status)).length

// A file that could not be loaded or whose hooks failed has no failed test, but it is a failure.
const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed')
).length

const passed = count('passed')
const failed = count('failed') + brokenFiles
const skipped = count('pending', 'skipped', 'todo', 'disabled')
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1

/** A run that wrote no report counts as one failure. */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    console.error(`no test report: ${error.message}`)
    return { testResults: [{ status: 'failed', assertionResults: [] }] }
  }
}
