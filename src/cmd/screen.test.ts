import { describe, expect, test } from 'vitest'
import { cutTo, screenOf, styled, widthOf, wrapTo } from './screen.ts'

const terminal = { isTTY: true, columns: 100 }

describe('a screen', () => {
  test.each([
    ['a pipe', {}, {}],
    ['a pipe with NO_COLOR over FORCE_COLOR', {}, { NO_COLOR: '1', FORCE_COLOR: '1' }],
    ['a pipe with FORCE_COLOR=0', {}, { FORCE_COLOR: '0' }]
  ])('is not behind %s', (_, stream, environment) => {
    expect(screenOf(stream, environment)).toBeUndefined()
  })

  test.each([
    ['shows colours', terminal, {}, { columns: 100, hasColors: true, canRedraw: true }],
    ['has 80 columns when it does not tell', { isTTY: true }, {}, { columns: 80, hasColors: true, canRedraw: true }],
    ['has no colours with NO_COLOR', terminal, { NO_COLOR: '1' }, { columns: 100, hasColors: false, canRedraw: true }],
    ['has colours with an empty NO_COLOR', terminal, { NO_COLOR: '' }, { columns: 100, hasColors: true, canRedraw: true }],
    ['is plain with TERM=dumb', terminal, { TERM: 'dumb' }, { columns: 100, hasColors: false, canRedraw: false }],
    ['has colours when forced on TERM=dumb', terminal, { TERM: 'dumb', FORCE_COLOR: '1' }, { hasColors: true, canRedraw: false }],
    ['is made of a pipe by FORCE_COLOR', {}, { FORCE_COLOR: '1' }, { hasColors: true, canRedraw: false }]
  ])('%s', (_, stream, environment, expected) => {
    expect(screenOf(stream, environment)).toMatchObject(expected)
  })
})

describe('a text', () => {
  test('gets no codes without a screen or without colours', () => {
    expect(styled('x', 'red', undefined)).toBe('x')
    expect(styled('x', 'red', { columns: 80, hasColors: false, canRedraw: true })).toBe('x')
    expect(styled('x', 'red', { columns: 80, hasColors: true, canRedraw: true })).toBe('\u001b[31mx\u001b[39m')
  })

  test('is as wide as it is shown', () => {
    expect(['abc', 'e\u0301', '漢字', '🚀', ''].map(widthOf)).toEqual([3, 1, 4, 2, 0])
  })

  test('is wrapped at blanks, and a long word stays whole', () => {
    expect(wrapTo('to be or not to be', 8)).toEqual(['to be or', 'not to', 'be'])
    expect(wrapTo('a verylongword b', 5)).toEqual(['a', 'verylongword', 'b'])
    expect(wrapTo('漢字 漢字', 5)).toEqual(['漢字', '漢字'])
    expect(wrapTo('', 5)).toEqual([''])
  })

  test('is cut with a sign that something is missing', () => {
    expect([cutTo('abcdef', 6), cutTo('abcdef', 4), cutTo('漢字漢', 4), cutTo('abc', 0)]).toEqual(['abcdef', 'abc…', '漢…', ''])
  })
})
