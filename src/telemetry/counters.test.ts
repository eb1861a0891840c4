import { describe, expect, test } from 'vitest'
import { createCounters } from './counters.ts'

describe('counters', () => {
  test('count under "other" when a stranger brings too many or too long names', () => {
    const counters = createCounters({ maxNames: 2 })
    for (const name of ['b', 'a', 'c', 'd', 'a', 'x'.repeat(200)]) counters.increment(name)
    expect(counters.snapshot()).toEqual({ a: 2, b: 1, other: 3 })
  })

  test('add by name and show what was counted so far, in order', () => {
    const counters = createCounters()
    const before = counters.snapshot()
    counters.increment('refused.expired')
    counters.increment('received', 3)
    counters.increment('refused.expired', 2)
    expect(before).toEqual({})
    expect(Object.entries(counters.snapshot())).toEqual([
      ['received', 3],
      ['refused.expired', 3]
    ])
  })
})
