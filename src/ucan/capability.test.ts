import { describe, expect, test } from 'vitest'
import { implies, implyAll, parseCapability } from './capability.ts'

describe('parseCapability', () => {
  test.each(['', 'public', '/a/', '//', '/a//b', '/a/./b', '/a/..', '/a\nb', '/a\u0000', '/a\ud800', `/${'a'.repeat(256)}`])(
    'refuses %j',
    (text) => {
      expect(parseCapability(text).ok).toBe(false)
    }
  )

  test.each(['/', '/public', '/dms/node/peers/ping', '/a/...', `/${'a'.repeat(255)}`])('reads %j', (text) => {
    expect(parseCapability(text)).toEqual({ ok: true, value: text })
  })
})

describe('implies', () => {
  test('a capability does not imply its siblings with a common beginning', () => {
    expect(implies('/public', '/publications')).toBe(false)
  })

  test('every wanted capability needs one that implies it, and nothing is implied by null', () => {
    expect(implyAll(['/a', '/b'], ['/a/x', '/c'])).toBe(false)
    expect(implyAll(null, ['/a'])).toBe(false)
    expect(implyAll(['/a', '/b'], ['/a/x', '/b'])).toBe(true)
    expect(implyAll(['/a'], null)).toBe(true)
  })
})
