import { describe, expect, test } from 'vitest'
import type { KeptFrame } from './kept-frames.ts'
import { createKeptOutbox, type KeptOutbox, type KeptQueue, type Outgoing, PART_BYTES } from './kept-outbox.ts'

const WINDOW = { messages: 100, bytes: 1_000_000 }

function message(size: number, inbox = 'root'): Outgoing {
  return { inbox, payload: new Uint8Array(size), attempts: 0, done: () => undefined, fail: () => undefined }
}

function outboxOf(short: readonly Outgoing[], long: readonly Outgoing[] = []): { outbox: KeptOutbox; queue: KeptQueue } {
  const queue = { short: new Set(short), long: new Set(long) }
  return { outbox: createKeptOutbox(queue), queue }
}

function idsOf(frames: readonly KeptFrame[]): readonly number[] {
  return frames.flatMap((frame) => ('id' in frame ? [frame.id] : []))
}

describe('a receipt breaks the stream when', () => {
  test('it is for a message that was never sent', () => {
    const { outbox } = outboxOf([message(1)])
    outbox.next(WINDOW)
    expect(() => outbox.settle({ first: 1, last: 2, status: 'delivered' })).toThrow('the last is 1')
    expect(() => outbox.settle({ first: 0, last: 0, status: 'delivered' })).toThrow('not on its way')
  })

  test('it is for 4 billion messages', () => {
    const { outbox } = outboxOf([message(1)])
    outbox.next(WINDOW)
    expect(() => outbox.settle({ first: 1, last: 2 ** 32 - 1, status: 'delivered' })).toThrow('the last is 1')
  })

  test('it comes twice, or before the last part has left', () => {
    const { outbox } = outboxOf([message(1)], [message(3 * PART_BYTES)])
    outbox.next(WINDOW)
    expect(() => outbox.settle({ first: 1, last: 1, status: 'delivered' })).toThrow('not on its way')
    outbox.settle({ first: 2, last: 2, status: 'delivered' })
    expect(() => outbox.settle({ first: 2, last: 2, status: 'delivered' })).toThrow('not on its way')
  })

  test('a part of its range is not on its way, and loses none of the others', () => {
    const messages = [message(1), message(2), message(3)]
    const { outbox } = outboxOf(messages)
    outbox.next(WINDOW)
    outbox.settle({ first: 2, last: 2, status: 'delivered' })
    expect(() => outbox.settle({ first: 1, last: 3, status: 'delivered' })).toThrow('not on its way')
    expect(outbox.takeAll()).toEqual([messages[0], messages[2]])
  })
})

test('no more leaves than the window allows, but always one', () => {
  const { outbox, queue } = outboxOf([message(900), message(10), message(10)])
  expect(idsOf(outbox.next({ messages: 0, bytes: 0 }).frames)).toEqual([1])
  expect(idsOf(outbox.next({ messages: 5, bytes: 905 }).frames)).toEqual([])
  expect(idsOf(outbox.next({ messages: 1, bytes: 5000 }).frames)).toEqual([])
  expect(idsOf(outbox.next({ messages: 2, bytes: 5000 }).frames)).toEqual([2])
  outbox.settle({ first: 1, last: 2, status: 'delivered' })
  expect(idsOf(outbox.next({ messages: 1, bytes: 5 }).frames)).toEqual([3])
  expect(queue.short.size).toBe(0)
})

test('a short message leaves in the next batch, however many long ones are on their way', () => {
  const long = Array.from({ length: 6 }, () => message(PART_BYTES * 10 + 1, 'files'))
  const { outbox, queue } = outboxOf([], long)
  for (let turn = 0; turn < 5; turn += 1) outbox.next(WINDOW)
  const urgent = message(10)
  queue.short.add(urgent)
  const { frames, completed } = outbox.next(WINDOW)
  expect(completed).toEqual([urgent])
  expect(frames.map(({ type }) => type)).toEqual(['part', 'message'])
})

test('long messages take turns, and not more than four at a time', () => {
  const { outbox } = outboxOf(
    [],
    [1, 2, 3, 4, 5].map(() => message(2 * PART_BYTES))
  )
  const order = Array.from({ length: 10 }, () => idsOf(outbox.next(WINDOW).frames)).flat()
  expect(order.slice(0, 8).toSorted()).toEqual([1, 1, 2, 2, 3, 3, 4, 4])
  expect(order).toHaveLength(8)
  outbox.settle({ first: 2, last: 2, status: 'delivered' })
  expect([outbox.next(WINDOW), outbox.next(WINDOW)].flatMap(({ frames }) => idsOf(frames))).toEqual([5, 5])
})

test('one batch stays near 64 KiB', () => {
  const { outbox } = outboxOf(Array.from({ length: 500 }, () => message(1000)))
  const { frames } = outbox.next(WINDOW)
  expect(frames.length).toBeGreaterThan(50)
  expect(frames.length).toBeLessThan(70)
})

test('what has no receipt is given back in order', () => {
  const [a, b, c] = [message(1), message(2), message(3)]
  const { outbox } = outboxOf([a, b, c])
  outbox.next(WINDOW)
  outbox.settle({ first: 2, last: 2, status: 'delivered' })
  expect(outbox.takeAll()).toEqual([a, c])
  expect(outbox.isIdle()).toBe(true)
  expect([a.attempts, b.attempts]).toEqual([1, 1])
})

test('after the last message nothing new begins, but parts of it still leave', () => {
  const { outbox, queue } = outboxOf([], [message(2 * PART_BYTES)])
  outbox.next(WINDOW)
  queue.short.add(message(1))
  outbox.takeNoMore()
  expect(outbox.next(WINDOW).frames.map(({ type }) => type)).toEqual(['part'])
  expect(outbox.next(WINDOW).frames).toEqual([])
  expect(queue.short.size).toBe(1)
})
