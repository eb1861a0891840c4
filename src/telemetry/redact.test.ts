import { describe, expect, test } from 'vitest'
import { createSecret, TimeoutError } from '../base/index.ts'
import { cleanFields } from './redact.ts'

describe('cleanFields', () => {
  test.each([
    'passphrase',
    'DMS_PASSPHRASE',
    'password',
    'token',
    'tokens',
    'accessToken',
    'api_key',
    'apiKey',
    'x-api-key',
    'privateKey',
    'private',
    'secret',
    'client_secret',
    'mnemonic',
    'Authorization',
    'credentials'
  ])('never shows a member named %s, at any depth', (name) => {
    expect(JSON.stringify(cleanFields({ [name]: 'hunter2', deep: { list: [{ [name]: { a: 'hunter2' } }] } }))).not.toContain(
      'hunter2'
    )
  })

  test('never shows a Secret, whatever its name', () => {
    expect(cleanFields({ value: createSecret('hunter2'), list: [createSecret('hunter2')] })).toEqual({
      value: '«secret»',
      list: ['«secret»']
    })
  })

  test('bounds depth, members and texts, and ends in circles', () => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    const fields = cleanFields({ circle, long: 'x'.repeat(10_000), list: Array.from({ length: 1000 }, () => 0) })
    expect(JSON.stringify(fields['circle'])).toContain('[too deep]')
    expect(fields['long']).toMatch(/^x{8192}… \(10000 characters\)$/)
    expect(fields['list']).toHaveLength(100)
  })

  test('makes everything JSON, without failing', () => {
    expect(
      cleanFields({
        a: undefined,
        b: null,
        c: 1n,
        d: Number.NaN,
        e: new Date(0),
        f: new Date(Number.NaN),
        g: Uint8Array.of(1, 2),
        h: () => 1,
        i: new Map([['k', 1]]),
        j: Symbol('s')
      })
    ).toEqual({
      b: null,
      c: '1',
      d: 'NaN',
      e: '1970-01-01T00:00:00.000Z',
      f: null,
      g: '[2 bytes]',
      h: '[function]',
      i: { k: 1 },
      j: 'Symbol(s)'
    })
  })

  test('turns an error into its message, with code and the stacks of its causes beside it', () => {
    const error = new TimeoutError('too slow', { cause: new RangeError('because') })
    const fields = cleanFields({ error, other: new Error('plain') })
    expect(fields).toMatchObject({ error: 'too slow', errorCode: 'BASE_TIMEOUT', other: 'plain' })
    expect(fields['stack_trace']).toMatch(/TimeoutError: too slow[\s\S]*caused by: RangeError: because/)
  })

  test('does not let a field take the place of time, level or message', () => {
    expect(cleanFields({ msg: 'a', level: 'b', timestamp: 'c' })).toEqual({ msg_: 'a', level_: 'b', timestamp_: 'c' })
  })
})
