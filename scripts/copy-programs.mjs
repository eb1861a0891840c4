// Completes dist after the compiler: copies the programs that are plain JavaScript (child processes, which Node 20 cannot run from
// TypeScript) and writes down what was built.
import { execFileSync } from 'node:child_process'
import { cpSync, statSync, writeFileSync } from 'node:fs'

cpSync('src', 'dist', { recursive: true, filter: (path) => statSync(path).isDirectory() || path.endsWith('.mjs') })
writeFileSync('dist/build-info.json', `${JSON.stringify({ commit: commit(), date: new Date().toISOString() })}\n`)

/** The commit of the checkout; a tarball without git has none. */
function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  } catch {
    return 'unknown'
  }
}
