import { defineConfig } from 'vitest/config'
import { SkippedReporter } from './test/support/skipped-reporter.ts'

// Costs Node 20 about 30 ms at every start of a child process; the tests need no certificates.
delete process.env['NODE_EXTRA_CA_CERTS']

const countsFile = process.env['DMS_TEST_JSON']

/**
 * Test files share one module graph per worker (`isolate: false`), which is safe because no module has mutable state
 * (test/architecture.test.ts) and five times as fast. Processes, not threads: tests change directory, umask and environment.
 */
export default defineConfig({
  test: {
    pool: 'forks',
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default', new SkippedReporter(), ...(countsFile === undefined ? [] : ['json'])],
    ...(countsFile === undefined ? {} : { outputFile: { json: countsFile } }),
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          sequence: { groupOrder: 0 }
        }
      },
      {
        // Whole daemons and containers: after everything else and one file at a time, or they starve each other.
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 }
        }
      }
    ]
  }
})
