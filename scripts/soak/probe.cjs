/** Loaded into a daemon before its program (`node --require`): writes every ten seconds what the process holds. */
const { appendFileSync } = require('node:fs')
const { monitorEventLoopDelay } = require('node:perf_hooks')

const file = process.env.SOAK_SAMPLES
if (file !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage()
    const sample = {
      seconds: process.uptime(),
      residentMiB: rss / 1_048_576,
      heapMiB: heapUsed / 1_048_576,
      handles: process.getActiveResourcesInfo().length,
      delayMs: delay.percentile(99) / 1e6 - 10,
      delayMaxMs: delay.max / 1e6 - 10
    }
    delay.reset()
    appendFileSync(file, `${JSON.stringify(sample)}\n`)
  }, 10_000).unref()
}
