import { describe, expect, test } from 'vitest'
import { parseGoDuration } from './duration.ts'

describe('parseGoDuration', () => {
  test.each(['', '+', '-', '1', '1d', '.h', 'h', '1h 30m', ' 1h', '1h-', '--1h', '1.5.5h', '1e3s', 'constructor'])(
    'refuses %j',
    (text) => {
      expect(parseGoDuration(text).ok).toBe(false)
    }
  )

  test('refuses what does not fit into 64 bits and what is too long to read', () => {
    expect(parseGoDuration('2562048h').ok).toBe(false)
    expect(parseGoDuration('-9223372036854775809ns').ok).toBe(false)
    expect(parseGoDuration(`${'1'.repeat(100)}h`).ok).toBe(false)
  })

  test.each([
    ['0', 0n],
    ['-0', 0n],
    ['90m', 5_400_000_000_000n],
    ['1.5h', 5_400_000_000_000n],
    ['.5s', 500_000_000n],
    ['5.s', 5_000_000_000n],
    ['1h30m10s', 5_410_000_000_000n],
    ['+2s', 2_000_000_000n],
    ['-2s', -2_000_000_000n],
    ['3us', 3_000n],
    ['3µs', 3_000n],
    ['3μs', 3_000n],
    ['1.9ns', 1n],
    ['-9223372036854775808ns', -9_223_372_036_854_775_808n]
  ])('reads %j', (text, nanos) => {
    expect(parseGoDuration(text)).toEqual({ ok: true, value: nanos })
  })
})
