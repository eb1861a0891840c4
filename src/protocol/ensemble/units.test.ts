import { describe, expect, test } from 'vitest'
import { parseClock, parseDuration, parseSize } from './units.ts'

describe('a size', () => {
  test.each([
    0,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 30,
    '',
    'much',
    '1 XB',
    '-1GB',
    '1e3',
    '0B',
    '512M',
    '1.5.5GB',
    '999999999TB'
  ])('is refused: %s', (value) => {
    expect(parseSize(value)).toMatchObject({ ok: false })
  })

  test.each([
    [1, 2 ** 30],
    [0.5, 2 ** 29],
    ['2', 2 ** 31],
    ['512MiB', 2 ** 29],
    ['1.5 GB', 1.5e9],
    ['64 kib', 65_536],
    ['10KB', 10_000],
    ['1B', 1]
  ])('%s has %d bytes', (value, expected) => {
    expect(parseSize(value)).toEqual({ ok: true, value: expected })
  })
})

describe('a clock speed', () => {
  test.each([0, -2, 2_400_000_000, '2.4 THz', 'fast', '0GHz'])('is refused: %s', (value) => {
    expect(parseClock(value)).toMatchObject({ ok: false })
  })

  test.each([
    [2.4, 2.4e9],
    ['2400MHz', 2.4e9],
    ['2400000000Hz', 2.4e9],
    ['2.4', 2.4e9]
  ])('%s is %d Hz', (value, expected) => {
    expect(parseClock(value)).toEqual({ ok: true, value: expected })
  })
})

describe('a duration', () => {
  test.each(['', '0', '-5s', '30', '1d', '1ns', 'soon'])('is refused: %s', (value) => {
    expect(parseDuration(value)).toMatchObject({ ok: false })
  })

  test.each([
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['250ms', 250]
  ])('%s has %d milliseconds', (value, expected) => {
    expect(parseDuration(value)).toEqual({ ok: true, value: expected })
  })
})
