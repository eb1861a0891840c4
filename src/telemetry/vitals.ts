import { performance } from 'node:perf_hooks'

/** What a process uses; sizes in bytes. */
export interface Vitals {
  readonly uptimeSeconds: number
  readonly resident: number
  readonly heapUsed: number
  readonly heapTotal: number
  /** Share of the time since the last question, from 0 to 1, in which the process was busy. */
  readonly loopUse: number
  /** Open sockets, timers and files of the event loop. */
  readonly handles: number
}

/** Measures this process when it is asked, and costs nothing in between. */
export function createVitals(): () => Vitals {
  let before = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    const { rss, heapUsed, heapTotal } = process.memoryUsage()
    return {
      uptimeSeconds: Math.round(process.uptime()),
      resident: rss,
      heapUsed,
      heapTotal,
      loopUse: Math.round(utilization * 1000) / 1000,
      handles: process.getActiveResourcesInfo().length
    }
  }
}
