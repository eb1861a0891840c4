import { describe, expect, test } from 'vitest'
import { clashIn, isRelativePath } from './relative-path.ts'

describe('a path from elsewhere', () => {
  test.each([
    '',
    '/',
    '/etc',
    'a/',
    'a//b',
    '.',
    '..',
    'a/../b',
    './a',
    'a\nb',
    'a\0b',
    'x'.repeat(256),
    'a/'.repeat(64).concat('a')
  ])('%j is refused', (path) => {
    expect(isRelativePath(path)).toBe(false)
  })

  test.each(['a', 'a/b.c', '...', 'ü/名', '.hidden', 'a b'])('%j is taken', (path) => {
    expect(isRelativePath(path)).toBe(true)
  })
})

test('paths that are there twice, or are file and directory, clash', () => {
  expect(clashIn(['a', 'b', 'a'])).toBe('a')
  expect(clashIn(['a/b/c', 'a/b'])).toBe('a/b')
  expect(clashIn(['a/b', 'a/c', 'ab'])).toBeUndefined()
})
