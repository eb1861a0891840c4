import { describe, expect, test } from 'vitest'
import { linkSignals, seconds } from '../base/index.ts'
import { createVirtualClock } from '../testing/index.ts'
import { createAnswers } from './answers.ts'
import { createMailbox } from './mailbox.ts'
import { createPatience } from './patience.ts'
import { type AcceptedMessage, createReplayWindow } from './replay.ts'

const until = (gate: Promise<void>) => () => gate

describe('a mailbox', () => {
  test('takes no more of one caller than its share, so that others still get in', () => {
    const mailbox = createMailbox({ concurrency: 2, waiting: 10, perCaller: 3 })
    mailbox.release()
    const never = new Promise<void>(() => undefined)
    expect([1, 2, 3, 4].map(() => mailbox.post('guest', until(never)))).toEqual([true, true, true, false])
    expect(mailbox.post('owner', until(never))).toBe(true)
  })

  test('gives the share back when a task has ended, and runs nothing while it is held', async () => {
    const mailbox = createMailbox({ concurrency: 1, waiting: 10, perCaller: 1 })
    const done: string[] = []
    const task = (name: string) => () => {
      done.push(name)
      return Promise.resolve()
    }
    expect(mailbox.post('guest', task('a'))).toBe(true)
    expect(mailbox.post('guest', task('b'))).toBe(false)
    expect(done).toEqual([])
    mailbox.release()
    await mailbox.idle()
    expect(mailbox.post('guest', task('b'))).toBe(true)
    await mailbox.idle()
    expect(done).toEqual(['a', 'b'])
  })

  test('runs tasks of others while those of one caller hang', async () => {
    const mailbox = createMailbox({ concurrency: 3, waiting: 10, runningPerCaller: 2, perCaller: 5 })
    const started: string[] = []
    const task = (name: string) => () => {
      started.push(name)
      return new Promise<void>(() => undefined)
    }
    for (const name of ['a1', 'a2', 'a3']) mailbox.post('a', task(name))
    mailbox.post('b', task('b1'))
    mailbox.release()
    expect(started).toEqual(['a1', 'a2', 'b1'])
  })
})

describe('answers on their way', () => {
  test('are bounded for a host that does not take them, and in all', async () => {
    const answers = createAnswers({ answers: 3, answersPerHost: 2 })
    let finish = (): void => undefined
    const slow = () => new Promise<void>((resolve) => (finish = resolve))
    expect([answers.post('slow', slow), answers.post('slow', slow), answers.post('slow', slow)]).toEqual([true, true, false])
    expect([answers.post('other', slow), answers.post('third', slow)]).toEqual([true, false])
    finish()
    await new Promise((resolve) => setImmediate(resolve))
    expect(answers.post('third', slow)).toBe(true)
  })
})

describe('the replay window', () => {
  const message = (caller: string, nonce: bigint, now = 0n): AcceptedMessage => ({
    ...{ caller, senderId: caller, nonce, expiresAt: 100n, now },
    ...{ source: 'remote', isOwner: caller === 'owner' }
  })

  test('cannot be filled for everybody by one caller', () => {
    const window = createReplayWindow(16)
    const added = [1n, 2n, 3n].map((nonce) => window.add(message('guest', nonce)))
    expect(added).toEqual([undefined, undefined, 'overloaded'])
    expect(window.add(message('other', 1n))).toBeUndefined()
    expect(window.has('guest', 2n)).toBe(true)
    expect(window.has('guest', 3n)).toBe(false)
  })

  test('has room for the owner when callers have filled it together', () => {
    const window = createReplayWindow(16)
    const guests = Array.from({ length: 16 }, (_, index) => window.add(message(`guest ${index}`, 1n)))
    expect(guests.filter((refusal) => refusal === 'overloaded')).toHaveLength(2)
    expect(window.add(message('owner', 1n))).toBeUndefined()
  })

  test('has room for ordinary messages when callers have sent together what lives for a day', () => {
    const window = createReplayWindow(16)
    const aDay = { expiresAt: 86_400_000_000_000n }
    const guests = Array.from({ length: 16 }, (_, index) => window.add({ ...message(`guest ${index}`, 1n), ...aDay }))
    expect(guests.filter((refusal) => refusal === 'overloaded')).toHaveLength(8)
    expect(window.add(message('other', 1n))).toBeUndefined()
    expect(window.add({ ...message('owner', 1n), ...aDay })).toBeUndefined()
    const later = 86_411_000_000_000n
    expect(window.add({ ...message('guest', 2n, later), expiresAt: 2n * later })).toBeUndefined()
  })

  test('forgets what has expired, and with it the caller’s share', () => {
    const window = createReplayWindow(8)
    expect(window.add(message('guest', 1n))).toBeUndefined()
    expect(window.add(message('guest', 2n))).toBe('overloaded')
    expect(window.add(message('guest', 2n, 20_000_000_000n))).toBeUndefined()
    expect(window.size).toBe(1)
  })
})

describe('patience', () => {
  test('ends with a peer whose frames keep being refused, and comes back with time', async () => {
    const clock = createVirtualClock()
    const patience = createPatience(clock)
    for (let frame = 0; frame < 60; frame += 1) patience.strain('rude')
    expect(patience.allows('rude')).toBe(false)
    expect(patience.allows('polite')).toBe(true)
    await clock.run(clock.sleep(seconds(1)))
    expect(patience.allows('rude')).toBe(true)
  })
})

describe('a linked signal', () => {
  test('follows what it is linked to', () => {
    const outer = new AbortController()
    const linked = linkSignals(undefined, outer.signal)
    outer.abort()
    expect(linked.signal.aborted).toBe(true)
    expect(linkSignals(outer.signal).signal.aborted).toBe(true)
  })

  test('lets go of it when it ends', () => {
    const outer = new AbortController()
    const linked = linkSignals(outer.signal)
    linked.end()
    expect(linked.signal.aborted).toBe(true)
    expect(outer.signal.aborted).toBe(false)
  })
})
