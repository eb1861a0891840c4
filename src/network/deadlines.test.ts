import { expect, test } from 'vitest'
import { CancelledError, type Clock, millis } from '../base/index.ts'
import { createDeadlines } from './deadlines.ts'

/** A clock that stands until it is told to go on; one sleep at a time, as long as it lasts. */
function createHandClock(): { readonly clock: Clock; readonly sleeps: number[]; advance(to: number): Promise<void> } {
  let now = 0
  let wake: () => void = () => undefined
  const sleeps: number[] = []
  return {
    sleeps,
    clock: {
      now: () => millis(now),
      sleep: (duration, { signal } = {}) =>
        new Promise((resolve, reject) => {
          sleeps.push(duration)
          wake = resolve
          signal?.addEventListener('abort', () => reject(new CancelledError('sleep was cancelled')), { once: true })
        })
    },
    async advance(to) {
      now = to
      wake()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

test('deadlines that were ended do not come, the others come in order, and one timer serves all', async () => {
  const { clock, sleeps, advance } = createHandClock()
  const deadlines = createDeadlines(clock, new AbortController().signal)
  const expired: string[] = []
  const end = deadlines.add(millis(100), () => expired.push('ended'))
  deadlines.add(millis(110), () => expired.push('first'))
  deadlines.add(millis(130), () => expired.push('second'))
  end()
  await advance(100)
  expect(expired).toEqual([])
  await advance(120)
  expect(expired).toEqual(['first'])
  await advance(130)
  expect(expired).toEqual(['first', 'second'])
  expect(sleeps).toEqual([100, 10, 10])
})

test('a deadline after the last one has come is kept too', async () => {
  const { clock, advance } = createHandClock()
  const deadlines = createDeadlines(clock, new AbortController().signal)
  const expired: string[] = []
  deadlines.add(millis(10), () => {
    expired.push('first')
    deadlines.add(millis(20), () => expired.push('second'))
  })
  await advance(10)
  await advance(20)
  deadlines.add(millis(30), () => expired.push('third'))
  await advance(30)
  expect(expired).toEqual(['first', 'second', 'third'])
})

test('nothing comes after the end', async () => {
  const { clock, advance } = createHandClock()
  const ended = new AbortController()
  const deadlines = createDeadlines(clock, ended.signal)
  const expired: string[] = []
  deadlines.add(millis(10), () => expired.push('first'))
  ended.abort()
  await advance(10)
  expect(expired).toEqual([])
})
