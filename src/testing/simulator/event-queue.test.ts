import { expect, test } from 'vitest'
import { createChance } from './chance.ts'
import { createEventQueue } from './event-queue.ts'

test('events come in order of time, and those of one instant in order of arrival', () => {
  const queue = createEventQueue()
  const chance = createChance('queue')
  const added = Array.from({ length: 3000 }, (_, order) => ({ at: chance.between(0, 50), order }))
  const seen: number[] = []
  const events = added.map(({ at, order }) => queue.add(at, () => seen.push(order)))
  const gone = new Set(added.filter(() => chance.happens(0.6)).map(({ order }) => order))
  for (const order of gone) {
    const event = events[order]
    if (event !== undefined) queue.cancel(event)
  }
  expect(queue.size).toBe(added.length - gone.size)
  while (queue.nextAt() !== undefined) queue.take()?.run()
  const expected = added.filter(({ order }) => !gone.has(order)).sort((a, b) => a.at - b.at || a.order - b.order)
  expect(seen).toEqual(expected.map(({ order }) => order))
  expect(queue.size).toBe(0)
})

test('an event that is under way cannot be cancelled any more', () => {
  const queue = createEventQueue()
  const event = queue.add(1, () => undefined)
  expect(queue.take()).toBe(event)
  queue.cancel(event)
  expect(queue.size).toBe(0)
})
