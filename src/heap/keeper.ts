import { performance } from 'node:perf_hooks'
import { type Clock, type Logger, mebibytes, type Service, seconds } from '../base/index.ts'
import { prepareMemoryReturn } from './give-back.ts'

/** What the keeper needs. */
export interface HeapKeeperOptions {
  readonly clock: Clock
  readonly log: Logger
}

/** How often it looks. */
const INTERVAL = seconds(10)

/** A node that computes for less than this share of the time is at rest: a collection disturbs nobody. */
const REST_SHARE = 0.2

/** What memory may grow by, above what was left after the last collection, before the next one. */
const GROWTH = 1.1
const MARGIN = mebibytes(4)

/** Collections that follow one another after a busy time: what ends by a deadline, such as half-open streams, is garbage only then. */
const FOLLOWING = 8

/**
 * Keeps a daemon near the memory that it needs: V8 and the C library alone keep, after a busy hour, the pages that they got
 * then, because a program that hardly allocates gives them no reason to return them.
 *
 * What a busy time left is given back once the node is at rest, the nursery of V8 included, which shrinks when little is allocated.
 */
export function createHeapKeeper({ clock, log }: HeapKeeperOptions): Service {
  const lifetime = new AbortController()
  let watching: Promise<void> = Promise.resolve()

  async function watch(): Promise<void> {
    const { signal } = lifetime
    const memory = await prepareMemoryReturn()
    let left = 0
    let following = 0
    let before = performance.eventLoopUtilization()
    while (!signal.aborted) {
      await clock.sleep(INTERVAL, { signal })
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      const held = process.memoryUsage.rss()
      if (held > left * GROWTH + MARGIN) following = FOLLOWING
      if (utilization >= REST_SHARE || following === 0) continue
      following -= 1
      memory.giveBack()
      left = process.memoryUsage.rss()
      log.debug('gave memory back', { before: held, after: left })
    }
  }

  return {
    name: 'heap',
    start() {
      watching = watch().catch(() => undefined) // the daemon stops
      return Promise.resolve()
    },
    async stop() {
      lifetime.abort()
      await watching
    }
  }
}
