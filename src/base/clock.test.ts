import { describe, expect, test } from 'vitest'
import { createVirtualClock } from '../testing/index.ts'
import { type Clock, setAlarm, systemClock } from './clock.ts'
import { hours, millis } from './units.ts'

test('many may sleep under one signal without a warning of a leak', async () => {
  const warnings: Error[] = []
  const hear = (warning: Error): void => void warnings.push(warning)
  process.on('warning', hear)
  const life = new AbortController()
  const sleeping = Array.from({ length: 50 }, () => systemClock.sleep(hours(1), { signal: life.signal }))
  await new Promise((resolve) => setImmediate(resolve))
  life.abort()
  await expect(Promise.all(sleeping)).rejects.toThrow('sleep was cancelled')
  process.off('warning', hear)
  expect(warnings).toEqual([])
})

describe('an alarm', () => {
  const system: Clock = systemClock
  test.each([
    ['of this machine', system],
    ['of a clock that can only sleep', { now: system.now, sleep: system.sleep }]
  ])('%s rings once, unless it was ended first', async (_which, clock) => {
    const rung: string[] = []
    const endFirst = setAlarm(clock, millis(1), () => rung.push('ended'))
    endFirst()
    await new Promise<void>((resolve) => {
      setAlarm(clock, millis(2), () => {
        rung.push('rang')
        resolve()
      })
    })
    expect(rung).toEqual(['rang'])
  })

  test('rings when its time has come, and not before', async () => {
    const clock = createVirtualClock()
    const begun = clock.now()
    const rung = new Promise<number>((resolve) => setAlarm(clock, hours(1), () => resolve(clock.now() - begun)))
    expect(await clock.run(rung)).toBe(hours(1))
  })
})
