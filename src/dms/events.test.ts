import { expect, test } from 'vitest'
import { systemClock, systemRandom } from '../base/index.ts'
import { createEventLog } from './events.ts'

const peer = (name: string) => ({ type: 'peer', peer: name, status: 'connected' }) as const

function logOf(count: number) {
  const log = createEventLog({ clock: systemClock, random: systemRandom })
  for (let number = 1; number <= count; number += 1) log.publish(peer(String(number)))
  const namesAfter = (id: string): readonly string[] =>
    log.after(id).events.map(({ event }) => ('peer' in event ? event.peer : ''))
  return { log, namesAfter, run: log.last().split('-')[0] ?? '' }
}

test('events of another run, of the future and of no run at all are not known', () => {
  const { log, run } = logOf(3)
  for (const id of ['0-1', `${run}-4`, `${run}-`, `${run}--1`, `${run}-x`, `${run}-1e0`, 'x']) {
    expect([id, log.after(id).isComplete]).toEqual([id, false])
  }
})

test('only the latest are kept, and it is said when older ones are asked for', () => {
  const { log, run, namesAfter } = logOf(1100)
  expect(log.after(`${run}-75`).isComplete).toBe(false)
  expect(log.after(`${run}-76`)).toMatchObject({ isComplete: true })
  expect(namesAfter(`${run}-76`)).toHaveLength(1024)
  expect(namesAfter('')).toHaveLength(1024)
})

test('what follows an event is told in order, and nothing after the last', () => {
  const { log, run, namesAfter } = logOf(4)
  expect(namesAfter(`${run}-2`)).toEqual(['3', '4'])
  expect(namesAfter(log.last())).toEqual([])
  expect(namesAfter(`${run}-0`)).toEqual(['1', '2', '3', '4'])
})

test('who listens is told until it stops', () => {
  const { log } = logOf(1)
  const heard: string[] = []
  const stop = log.listen(({ id }) => heard.push(id))
  log.publish(peer('2'))
  stop()
  log.publish(peer('3'))
  expect(heard).toEqual([expect.stringMatching(/-2$/)])
})
