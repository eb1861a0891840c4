import { describe, expect, test } from 'vitest'
import { faultNames, parseFaults } from './faults.ts'

describe('the faults of a run', () => {
  test('are refused when one is unknown, with the names of all', () => {
    expect(() => parseFaults('crush')).toThrow(/no fault "crush"; there are all, none, delay, .*crash/)
    expect(() => parseFaults('')).toThrow(/no fault ""/)
  })

  test('are all, none, some, or all but some', () => {
    expect([...parseFaults('all')]).toEqual(faultNames())
    expect([...parseFaults('none')]).toEqual([])
    expect([...parseFaults('loss, crash')]).toEqual(['loss', 'crash'])
    expect(parseFaults('all,-hostile').has('hostile')).toBe(false)
    expect(parseFaults('all,-hostile').size).toBe(faultNames().length - 1)
  })
})
