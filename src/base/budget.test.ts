import { describe, expect, test } from 'vitest'
import { createBudget, createBudgets } from './budget.ts'
import type { Clock } from './clock.ts'
import { millis } from './units.ts'

let now = millis(1_800_000_000_000)
const clock: Clock = { now: () => now, sleep: () => Promise.resolve() }

describe('a budget', () => {
  test('is used up, and flows in again with time, up to its size', () => {
    const budget = createBudget(clock, { capacity: 2, perSecond: 1 })
    expect([budget.take(), budget.take(), budget.take()]).toEqual([true, true, false])
    now = millis(now + 1000)
    expect([budget.take(), budget.take()]).toEqual([true, false])
    now = millis(now + 60_000)
    expect([budget.take(3), budget.take(2)]).toEqual([false, true])
  })

  test('is one for each sender, of whom a bounded number is remembered', () => {
    const budgets = createBudgets(clock, { capacity: 1, perSecond: 0 })
    expect([budgets('a').take(), budgets('a').take(), budgets('b').take()]).toEqual([true, false, true])
    for (let other = 0; other < 2000; other += 1) budgets(`other ${other}`)
    expect(budgets('a').take()).toBe(true)
  })

  test('takes back what turned out to be no burden, and never more than it holds', () => {
    const budget = createBudget(clock, { capacity: 2, perSecond: 0 })
    expect(budget.take(2)).toBe(true)
    budget.refund()
    expect([budget.take(), budget.take()]).toEqual([true, false])
    budget.refund(10)
    expect([budget.take(2), budget.take()]).toEqual([true, false])
  })
})
