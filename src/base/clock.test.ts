import { expect, test } from 'vitest'
import { systemClock } from './clock.ts'
import { hours } from './units.ts'

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
