import { expect, test } from 'vitest'
import type { Clock } from './clock.ts'
import { createCountedTurns, createSystemTurns } from './turns.ts'
import { millis } from './units.ts'

test('a counted turn ends after so many pieces, and the next begins with another instant or after a wait', async () => {
  let now = millis(1000)
  const clock: Clock = { now: () => now, sleep: () => Promise.resolve() }
  const turns = createCountedTurns(2, clock)
  expect([turns.mayGoOn(), turns.mayGoOn(), turns.mayGoOn()]).toEqual([true, true, false])
  await turns.next()
  expect([turns.mayGoOn(), turns.mayGoOn(), turns.mayGoOn()]).toEqual([true, true, false])
  now = millis(1001)
  expect(turns.mayGoOn()).toBe(true)
})

test('a turn of the process ends when its time is used up, and the first piece of a turn is always done', async () => {
  const turns = createSystemTurns(millis(0))
  expect([turns.mayGoOn(), turns.mayGoOn()]).toEqual([true, false])
  await turns.next()
  expect(turns.mayGoOn()).toBe(true)
})
