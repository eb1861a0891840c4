import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { mebibytes, seconds, silentLogger } from '../base/index.ts'
import { createVirtualClock } from '../testing/index.ts'
import { createHeapKeeper } from './index.ts'

const HELD_OBJECTS = 1_000_000
/** How often the keeper may look before it must have found the process at rest: the time between two looks is real. */
const LOOKS = 20

test('memory that a busy time has left goes back to the system once the node is at rest', async () => {
  const clock = createVirtualClock()
  const keeper = createHeapKeeper({ clock, log: silentLogger })
  let garbage: unknown[] | undefined = Array.from({ length: HELD_OBJECTS }, (_, index) => ({ index, list: [index] }))
  const held = process.memoryUsage.rss()
  await keeper.start()
  expect(garbage).toHaveLength(HELD_OBJECTS)
  garbage = undefined
  const isBack = (): boolean => process.memoryUsage.rss() < held - mebibytes(30)
  for (let look = 0; look < LOOKS && !isBack(); look += 1) {
    await pause(100)
    await clock.run(clock.sleep(seconds(11)))
  }
  expect(isBack()).toBe(true)
  await keeper.stop()
})
