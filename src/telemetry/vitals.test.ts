import { expect, test } from 'vitest'
import { createVitals } from './vitals.ts'

test('the vitals of a process are those since the question before', () => {
  const vitals = createVitals()
  const end = performance.now() + 20
  while (performance.now() < end); // busy all the time
  const { loopUse, resident, heapUsed, heapTotal, uptimeSeconds } = vitals()
  expect(loopUse).toBeGreaterThan(0)
  expect(loopUse).toBeLessThanOrEqual(1)
  expect(heapUsed).toBeLessThanOrEqual(heapTotal)
  expect(resident).toBeGreaterThan(heapUsed)
  expect(uptimeSeconds).toBeGreaterThanOrEqual(0)
})
