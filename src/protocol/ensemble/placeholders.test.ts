// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of ensembles look like this
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createEnsembleFiles } from './files.ts'
import { resolvePlaceholders } from './placeholders.ts'

interface Given {
  readonly environment?: Record<string, string>
  readonly files?: Record<string, string | Uint8Array>
  readonly allowOutside?: boolean
}

function resolve(
  tree: Parameters<typeof resolvePlaceholders>[0],
  { environment = {}, files = {}, allowOutside = false }: Given = {}
) {
  const reports: string[] = []
  const access = createEnsembleFiles((path) => files[path], allowOutside)
  const value = resolvePlaceholders(tree, {
    environment,
    readText: (path) => access.readText(path),
    report: (path, message) => reports.push(`${path.join('.')}: ${message}`)
  })
  return { value, reports, reads: access.reads }
}

describe('a placeholder is reported', () => {
  test.each([
    ['${NOPE}', /the environment has no NOPE: set it, write \$\{NOPE:-default\}, or \$\$\{NOPE\} for the text itself/],
    ['${env:toString}', /the environment has no toString/],
    ['${file:nope.txt}', /the file "nope.txt" does not exist/],
    ['${file:/etc/passwd}', /the file "\/etc\/passwd" is outside the directory of the ensemble: only relative paths are read/],
    ['${file:~/.ssh/id_ed25519}', /is outside the directory/],
    ['${file:C:\\secrets}', /is outside the directory/],
    ['${file:a/../../b}', /paths with \.\. are not read/],
    ['${file:a\\..\\b}', /paths with \.\. are not read/],
    ['${file:binary}', /is not UTF-8 text/],
    ['${file:}', /names nothing/],
    ['${}', /names nothing/],
    ['${vault:key}', /has the unknown source vault: use env or file/],
    ['${env:HOME|upper}', /has the modifier upper: modifiers are not supported/],
    ['${SELF}', /still has a placeholder after 10 rounds/],
    ['${BOMB}', /still has a placeholder|more than 2097152 characters/]
  ])('%s', (text, message) => {
    const environment = { HOME: '/home/me', SELF: '${SELF}', BOMB: '${BOMB}${BOMB}${BOMB}${BOMB}${BOMB}${BOMB}${BOMB}${BOMB}' }
    const { value, reports } = resolve({ a: [text] }, { environment, files: { binary: Uint8Array.of(0xff, 0xfe) } })
    expect(reports).toEqual([expect.stringMatching(/^a\.0: /)])
    expect(reports[0]).toMatch(message)
    expect(value).toEqual({ a: [text] })
  })

  test('when all values together grow too long', () => {
    const { reports } = resolve(['${X}', '${X}', '${X}'], { environment: { X: 'x'.repeat(1024 * 1024) } })
    expect(reports).toEqual([expect.stringMatching(/^2: .*more than 2097152 characters/)])
  })
})

describe('a placeholder is replaced', () => {
  test.each([
    ['${NAME}', 'dms'],
    ['${env:NAME}', 'dms'],
    ['a ${NAME} and ${ENV:NAME}', 'a dms and dms'],
    ['${NOPE:-fallback}', 'fallback'],
    ['${env:NOPE:-}', ''],
    ['${EMPTY:-fallback}', 'fallback'],
    ['${EMPTY}', ''],
    ['${NOPE:-${NAME}}', 'dms'],
    ['${NOPE:-http://host:80/x}', 'http://host:80/x'],
    ['${NESTED}', 'dms!'],
    ['${file:greeting.txt}', 'hello\n'],
    ['${file:nope:-none}', 'none'],
    ['$${NAME} costs $5', '${NAME} costs $5'],
    ['{NAME} $NAME', '{NAME} $NAME']
  ])('%s becomes %s', (text, expected) => {
    const environment = { NAME: 'dms', EMPTY: '', NESTED: '${NAME}!' }
    const { value, reports } = resolve(text, { environment, files: { 'greeting.txt': 'hello\n' } })
    expect(reports).toEqual([])
    expect(value).toBe(expected)
  })

  test('outside the directory only when that is allowed', () => {
    const files = { '/etc/motd': 'welcome', '../shared.txt': 'shared' }
    expect(resolve(['${file:/etc/motd}', '${file:../shared.txt}'], { files, allowOutside: true })).toEqual({
      value: ['welcome', 'shared'],
      reports: [],
      reads: ['/etc/motd', '../shared.txt']
    })
  })

  test('and a file is read once, and named', () => {
    const answers = ['1', '2']
    const access = createEnsembleFiles(() => answers.shift(), false)
    expect([access.readText('a'), access.readText('a'), access.reads]).toEqual([
      { ok: true, value: '1' },
      { ok: true, value: '1' },
      ['a']
    ])
  })

  test('without ever throwing', () => {
    const piece = fc.constantFrom('${', '}', ':', ':-', '|', '$', 'env', 'file', 'A', '{', '\n', 'x')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        resolve({ a: pieces.join('') }, { environment: { A: '${env:x:-y}' }, files: { x: '${A}' } })
      })
    )
  })
})

describe('a file', () => {
  test.each([
    ['nope', 'does not exist'],
    ['big', 'has 1048577 bytes, at most 1048576 are read'],
    ['broken', 'cannot be read: no permission'],
    ['', 'is not a path'],
    ['a\0b', 'is not a path']
  ])('%j is refused: %s', (path, error) => {
    const access = createEnsembleFiles((name) => {
      if (name === 'broken') throw new Error('no permission')
      return name === 'big' ? new Uint8Array(1024 * 1024 + 1) : undefined
    }, false)
    expect(access.read(path)).toEqual({ ok: false, error })
    expect(access.reads).toEqual([])
  })

  test('is refused when nothing can read it', () => {
    expect(createEnsembleFiles(undefined, false).read('a')).toEqual({
      ok: false,
      error: 'cannot be read here: this reader has no access to files'
    })
  })
})
