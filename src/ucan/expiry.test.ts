import { describe, expect, test } from 'vitest'
import { parseExpiry } from './expiry.ts'

describe('parseExpiry', () => {
  test.each([
    '',
    'tomorrow',
    '2024-13-01',
    '2024-00-10',
    '2023-02-29',
    '2024-12-31 24:00:00',
    '2024-12-31 23:60:00',
    '2024-12-31 23:59:60',
    '2024-12-31T23:59:59',
    '2024-12-31T23:59:59+24:00',
    '2024-12-31T23:59:59+0100',
    '31 Foo 24 23:59 UTC',
    '31 Dec 2024 23:59 UTC',
    '10000-01-01'
  ])('refuses %j', (text) => {
    expect(parseExpiry(text).ok).toBe(false)
  })

  test('refuses what would wrap around to a practically eternal token', () => {
    expect(parseExpiry('1969-12-31').ok).toBe(false)
    expect(parseExpiry('1970-01-01T00:00:00+01:00').ok).toBe(false)
    expect(parseExpiry('2262-04-12').ok).toBe(false)
    expect(parseExpiry('0001-01-01').ok).toBe(false)
  })

  test('refuses zone names that would be taken for UTC', () => {
    expect(parseExpiry('31 Dec 24 23:59 PST').ok).toBe(false)
  })

  test.each([
    ['2024-02-29', '2024-02-29T00:00:00Z'],
    ['31 dec 24 23:59 GMT', '2024-12-31T23:59:00Z'],
    ['31 Dec 99 23:59 -0130', '2000-01-01T01:29:00Z'],
    ['2024-12-31T23:59:59-00:30', '2025-01-01T00:29:59Z'],
    ['\t2024-12-31 00:00:01\n', '2024-12-31T00:00:01Z']
  ])('reads %j', (text, instant) => {
    expect(parseExpiry(text)).toEqual({ ok: true, value: BigInt(Date.parse(instant)) * 1_000_000n })
  })

  test('keeps nanoseconds', () => {
    expect(parseExpiry('1970-01-01T00:00:01.000000009Z')).toEqual({ ok: true, value: 1_000_000_009n })
  })
})
