import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeGoJson, parseJson } from './json.ts'

function parsed(text: string): unknown {
  const result = parseJson(text)
  if (!result.ok) throw new Error(result.error.message)
  return result.value
}

describe('parseJson', () => {
  test.each([
    ['{"a":1,"a":2}', 'repeated'],
    ['{"a":1}x', 'nothing more'],
    ['[1,]', 'a value'],
    ['01', 'nothing more'],
    ['"a\nb"', 'the rest of a string'],
    ['"\\x"', 'a string escape'],
    ['"\\u12g4"', 'four hexadecimal digits'],
    ['', 'a value'],
    ['nul', 'a value'],
    ['1e999', 'a number within the range'],
    ['['.repeat(100), 'nesting']
  ])('refuses %s and says what it expected', (text, expected) => {
    const result = parseJson(text)
    expect(result.ok ? '' : result.error.message).toContain(expected)
  })

  test('keeps 64-bit integers', () => {
    expect(parsed('[18446744073709551615,9007199254740993,-9007199254740993,1]')).toEqual([
      18446744073709551615n,
      9007199254740993n,
      -9007199254740993n,
      1
    ])
  })

  test('takes __proto__ as an ordinary member', () => {
    expect(Object.keys(parsed('{"__proto__":{"x":1}}') as object)).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  test('agrees with JSON.parse on whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value)
        expect(encodeGoJson(parsed(text))).toBe(encodeGoJson(JSON.parse(text)))
      })
    )
  })

  test('never throws on any text', () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => typeof parseJson(text).ok === 'boolean'))
  })
})

describe('encodeGoJson', () => {
  test('refuses what JSON cannot carry', () => {
    expect(() => encodeGoJson(Number.NaN)).toThrow(TypeError)
    expect(() => encodeGoJson(() => 1)).toThrow(TypeError)
  })

  test('escapes as Go does', () => {
    expect(encodeGoJson('<a> & "b"\\\n\t\u0001\u2028\u007f/é\ud800')).toBe(
      '"\\u003ca\\u003e \\u0026 \\"b\\"\\\\\\n\\t\\u0001\\u2028\u007f/é\ufffd"'
    )
  })

  test('writes big integers in full, leaves undefined members out and keeps the order', () => {
    expect(encodeGoJson({ z: 2n ** 64n - 1n, a: undefined, m: [undefined, null], b: true })).toBe(
      '{"z":18446744073709551615,"m":[null,null],"b":true}'
    )
  })

  test.each([
    [1e-7, '1e-7'],
    [1.5e-9, '1.5e-9'],
    [1e-10, '1e-10'],
    [0.000001, '0.000001'],
    [-0, '-0'],
    [100, '100'],
    [1e20, '100000000000000000000'],
    [1e21, '1e+21'],
    [-1.25e100, '-1.25e+100']
  ])('writes the float %d as Go does: %s', (value, text) => {
    expect(encodeGoJson(value)).toBe(text)
  })

  test('is undone by parseJson', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(encodeGoJson(parsed(encodeGoJson(value)))).toBe(encodeGoJson(value))
      })
    )
  })
})
