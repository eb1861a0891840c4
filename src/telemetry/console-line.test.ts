import { describe, expect, test } from 'vitest'
import { millis } from '../base/index.ts'
import { renderConsoleLine } from './console-line.ts'

describe('a console line', () => {
  test('lets no control character of a stranger through', () => {
    const hostile = 'a\n2025 ERROR forged \u001b[2J\u009b\u202e\u2028'
    const line = renderConsoleLine({ at: millis(0), level: 'info', message: hostile, fields: { peer: hostile, list: [hostile] } })
    expect(line.slice(0, -1)).toMatch(/^[\x20-\x7e]+$/)
    expect(line).toContain('\\n2025')
    expect(line).toContain('\\u202e')
  })

  test('has time, level, message and fields, without the stack', () => {
    const fields = { peer: '12D3Koo', count: 2, text: 'two words', quoted: 'a"b', empty: '', list: [1], stack_trace: 'at x' }
    expect(renderConsoleLine({ at: millis(1_700_000_000_123), level: 'warn', message: 'bid refused: größe', fields })).toBe(
      '2023-11-14T22:13:20.123Z WARN  bid refused: größe peer=12D3Koo count=2 text="two words" quoted="a\\"b" empty="" list=[1]\n'
    )
  })
})
