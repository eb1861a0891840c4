import { expect, test } from 'vitest'
import { createKeyedQueues } from './keyed-queues.ts'

test('who gives up waiting does not wait, and its task never runs', async () => {
  const queues = createKeyedQueues()
  let finish = (): void => undefined
  const first = queues.run('a', () => new Promise<void>((resolve) => (finish = resolve)))
  const giveUp = new AbortController()
  const order: string[] = []
  const second = queues.run('a', async () => void order.push('second'), { signal: giveUp.signal })
  giveUp.abort()
  await expect(second).rejects.toMatchObject({ kind: 'cancelled' })
  finish()
  await first
  await queues.run('a', () => Promise.resolve())
  expect(order).toEqual([])
})

test('tasks of one key follow one another, those of others do not wait', async () => {
  const queues = createKeyedQueues()
  let finish = (): void => undefined
  const order: string[] = []
  const first = queues.run('a', () => new Promise<void>((resolve) => (finish = resolve))).then(() => order.push('first'))
  const second = queues.run('a', () => Promise.resolve()).then(() => order.push('second'))
  await queues.run('b', () => Promise.resolve())
  order.push('other')
  finish()
  await Promise.all([first, second])
  expect(order).toEqual(['other', 'first', 'second'])
})
