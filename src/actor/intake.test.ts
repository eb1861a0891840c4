import { beforeEach, describe, expect, test } from 'vitest'
import { bytes, type Turns } from '../base/index.ts'
import { createIntake, type Intake } from './intake.ts'
import { DEFAULT_ACTOR_LIMITS } from './limits.ts'

const limits = {
  ...DEFAULT_ACTOR_LIMITS,
  waitingPerPeer: 3,
  waitingBytesPerPeer: bytes(100),
  waitingBytes: bytes(150),
  waitingOfOwn: 6
}

/** Turns that end when the test says so. */
let isOver: boolean
let goOn: () => void
const turns: Turns = {
  mayGoOn: () => !isOver,
  next: () =>
    new Promise((resolve) => {
      goOn = () => {
        isOver = false
        resolve()
      }
    })
}

let intake: Intake
let log: string[]

function submit(peer: string | undefined, name: string, size = 1): void {
  intake.submit(peer, { size, work: () => log.push(name), drop: () => log.push(`dropped ${name}`) })
}

async function nextTurn(): Promise<readonly string[]> {
  goOn()
  await new Promise((resolve) => setImmediate(resolve))
  return log
}

beforeEach(() => {
  intake = createIntake(turns, limits)
  log = []
  isOver = true
})

describe('frames that wait to be verified', () => {
  test('wait not at all while the turn has time', () => {
    isOver = false
    submit('a', 'a1')
    expect(log).toEqual(['a1'])
  })

  test('are dropped beyond the share of their peer, in number and in bytes', () => {
    for (const name of ['a1', 'a2', 'a3', 'a4']) submit('a', name)
    submit('b', 'b1', 60)
    submit('b', 'b2', 60)
    expect(log).toEqual(['dropped a4', 'dropped b2'])
    expect(intake.waiting).toBe(4)
  })

  test('of a peer with many make room for one with few, and not the other way round', () => {
    submit('a', 'a1', 50)
    submit('a', 'a2', 50)
    submit('b', 'b1', 40)
    submit('c', 'c1', 30)
    expect(log).toEqual(['dropped a2'])
    submit('c', 'c2', 40)
    expect(log).toEqual(['dropped a2', 'dropped c2'])
  })

  test('are taken from one peer after another', async () => {
    for (const name of ['a1', 'a2', 'a3']) submit('a', name)
    submit('b', 'b1')
    submit('c', 'c1')
    submit('b', 'b2')
    expect(await nextTurn()).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
    expect(intake.waiting).toBe(0)
  })

  test('of own clients come first, but not without end', async () => {
    for (const name of ['a1', 'a2']) submit('a', name)
    for (const name of ['o1', 'o2', 'o3', 'o4', 'o5', 'o6', 'o7']) submit(undefined, name)
    expect(log).toEqual(['dropped o7'])
    log = []
    expect(await nextTurn()).toEqual(['o1', 'o2', 'o3', 'o4', 'a1', 'o5', 'o6', 'a2'])
  })

  test('wait for the next turn when this one is over', async () => {
    for (const name of ['a1', 'a2']) submit('a', name)
    intake.submit('b', { size: 1, work: () => (isOver = true), drop: () => undefined })
    submit('c', 'c1')
    expect(await nextTurn()).toEqual(['a1'])
    submit('d', 'd1')
    expect(await nextTurn()).toEqual(['a1', 'c1', 'a2', 'd1'])
  })
})
