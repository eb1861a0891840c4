import { describe, expect, test } from 'vitest'
import { createVirtualClock } from '../testing/index.ts'
import { createSerialQueue, mapConcurrently, withTimeout } from './async.ts'
import { createServiceGroup, type Service } from './lifecycle.ts'
import { seconds } from './units.ts'

describe('withTimeout', () => {
  test('rejects and aborts the work when the time is over', async () => {
    const clock = createVirtualClock()
    let aborted = false
    const late = withTimeout(clock, seconds(5), 'the work', (signal) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      return new Promise(() => undefined)
    })
    await expect(clock.run(late)).rejects.toMatchObject({ kind: 'timeout', message: 'the work did not finish within 5000 ms' })
    expect(aborted).toBe(true)
  })

  test('rejects as cancelled when the caller gives up', async () => {
    const clock = createVirtualClock()
    const controller = new AbortController()
    const work = withTimeout(clock, seconds(5), 'the work', () => new Promise(() => undefined), { signal: controller.signal })
    controller.abort()
    await expect(work).rejects.toMatchObject({ kind: 'cancelled' })
  })

  test('hands through what the work gives, and its failure', async () => {
    const clock = createVirtualClock()
    await expect(withTimeout(clock, seconds(5), 'w', () => Promise.resolve(7))).resolves.toBe(7)
    await expect(withTimeout(clock, seconds(5), 'w', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  })
})

test('a serial queue runs one task at a time, also after a failure', async () => {
  const queue = createSerialQueue()
  const order: string[] = []
  const failing = queue.run(async () => {
    order.push('a')
    await Promise.resolve()
    throw new Error('a failed')
  })
  const next = queue.run(() => {
    order.push('b')
    return Promise.resolve('b')
  })
  await expect(failing).rejects.toThrow('a failed')
  await expect(next).resolves.toBe('b')
  await queue.idle()
  expect(order).toEqual(['a', 'b'])
  expect(queue.size).toBe(0)
})

test('mapConcurrently keeps the order and the limit', async () => {
  let running = 0
  let most = 0
  const results = await mapConcurrently([3, 1, 2], 2, async (item) => {
    running += 1
    most = Math.max(most, running)
    await new Promise((resolve) => setImmediate(resolve))
    running -= 1
    return item * 10
  })
  expect(results).toEqual([30, 10, 20])
  expect(most).toBe(2)
})

test('a group stops what it started, in reverse, when a part cannot start', async () => {
  const events: string[] = []
  const part = (name: string, fails = false): Service => ({
    name,
    start: () => {
      events.push(`start ${name}`)
      return fails ? Promise.reject(new Error(`${name} cannot start`)) : Promise.resolve()
    },
    stop: () => {
      events.push(`stop ${name}`)
      return Promise.resolve()
    }
  })
  await expect(createServiceGroup('g', [part('a'), part('b'), part('c', true)]).start()).rejects.toThrow('c cannot start')
  expect(events).toEqual(['start a', 'start b', 'start c', 'stop b', 'stop a'])
})
