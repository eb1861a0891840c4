import { describe, expect, test } from 'vitest'
import { nameOf, parseLine, resolveCommand } from './argv.ts'
import { type FlagSpec, flagsOf } from './command.ts'
import { splitCsv } from './csv.ts'
import { ROOT } from './table.ts'

function parse(line: string) {
  const { path, rest } = resolveCommand(ROOT, line.split(' '))
  const { values, args } = parseLine(flagsOf(path), rest)
  return { command: nameOf(path), args, values: Object.fromEntries(values) }
}

describe('a line that is wrong', () => {
  test.each([
    ['bogus', 'unknown command "bogus" for "nunet"'],
    ['contracts --context dms list incoming', 'unknown command "contracts" for "nunet"'],
    ['key nwe x', 'unknown command "nwe" for "nunet key"; did you mean "new"?'],
    ['-c dms actor cmd /dms/node/peers/lisst', 'unknown behavior "/dms/node/peers/lisst" for "nunet actor cmd"'],
    ['key new x --bogus', 'unknown flag: --bogus'],
    ['--bogus key new x', 'unknown flag: --bogus'],
    ['key new -x name', "unknown shorthand flag: 'x' in -x"],
    ['key new -fx name', "unknown shorthand flag: 'x' in -fx"],
    ['cap list --context', 'flag needs an argument: --context'],
    ['cap list -c', "flag needs an argument: 'c' in -c"],
    ['key new x ---force', 'bad flag syntax: ---force'],
    ['key new x --=force', 'bad flag syntax: --=force'],
    ['key new x --force=perhaps', 'invalid argument "perhaps" for "--force" flag: must be true or false'],
    ['cap grant x --depth few', 'invalid argument "few" for "--depth" flag: must be a whole number'],
    ['cap grant x --duration 1d', 'invalid argument "1d" for "--duration" flag: must be a duration like 90s, 5m or 1h30m'],
    ['cap grant x --cap a"b', 'invalid argument "a\\"b" for "--cap" flag']
  ])('%s is refused', (line, message) => {
    expect(() => parse(line)).toThrow(message)
  })
})

describe('flags stand anywhere', () => {
  test.each([
    ['-c dms actor cmd /dms/node/peers/self', 'nunet actor cmd /dms/node/peers/self', { context: ['dms'] }, []],
    [
      'actor cmd --timeout 180s /dms/node/deployment/status --id X',
      'nunet actor cmd /dms/node/deployment/status',
      { timeout: ['180s'], id: ['X'] },
      []
    ],
    ['--config F run -c dms', 'nunet run', { config: ['F'], context: ['dms'] }, []],
    ['-c dms cap remove --provide {}', 'nunet cap remove', { context: ['dms'], provide: ['{}'] }, []],
    ['--debug key new dms', 'nunet key new', { debug: ['true'] }, ['dms']],
    ['--rest-port=1 key --force new dms', 'nunet key new', { 'rest-port': ['1'], force: ['true'] }, ['dms']]
  ])('%s', (line, command, values, args) => {
    expect(parse(line)).toEqual({ command, values, args })
  })
})

test('the token after a flag with a value is its value, also when it begins with a dash', () => {
  expect(parse('actor cmd /dms/node/deployment/list --sort -created_at -f --limit').values).toEqual({
    sort: ['-created_at'],
    filter: ['--limit']
  })
})

test('a value may also follow an equals sign or, for a letter, directly', () => {
  expect(parse('cap list --context=a').values).toEqual({ context: ['a'] })
  expect(parse('cap list -c=a').values).toEqual({ context: ['a'] })
  expect(parse('cap list -ca').values).toEqual({ context: ['a'] })
})

test('letters of switches may be joined, the last one may have a value', () => {
  const flags: readonly FlagSpec[] = [
    { name: 'all', short: 'a', type: 'switch', doc: '' },
    { name: 'brief', short: 'b', type: 'switch', doc: '' },
    { name: 'count', short: 'c', type: 'integer', doc: '' }
  ]
  expect(parseLine(flags, ['-abc', '3']).values).toEqual(
    new Map([
      ['all', ['true']],
      ['brief', ['true']],
      ['count', ['3']]
    ])
  )
  expect(parseLine(flags, ['-a=false', '-c3']).values).toEqual(
    new Map([
      ['all', ['false']],
      ['count', ['3']]
    ])
  )
})

test('nothing after two dashes is a flag or a command', () => {
  expect(parse('config set rest.port -- -5')).toEqual({ command: 'nunet config set', values: {}, args: ['rest.port', '-5'] })
})

test('a single dash is an argument', () => {
  expect(parse('actor send -').args).toEqual(['-'])
})

test('lists repeat and split at commas, other flags take the last value', () => {
  expect(parse('cap grant x --cap /a,/b --cap /c -c one -c two').values).toEqual({ cap: ['/a', '/b', '/c'], context: ['two'] })
})

test.each([
  ['', []],
  ['/a,/b', ['/a', '/b']],
  ['"a,b",c', ['a,b', 'c']],
  ['"say ""hi"""', ['say "hi"']],
  ['a,', ['a', '']],
  [',', ['', '']],
  ['"a', undefined],
  ['a"b', undefined]
])('the list %s', (text, values) => {
  expect(splitCsv(text)).toEqual(values)
})
