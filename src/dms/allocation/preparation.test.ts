import { expect, test } from 'vitest'
import { fromUtf8, type JsonValue, utf8 } from '../../base/index.ts'
import { generateKeyPair } from '../../identity/index.ts'
import { sealPreparation, toPreparation, unsealPreparation } from './preparation.ts'

const script = (text: string): Uint8Array => utf8(text)
const key = (change: object): JsonValue => [{ type: 'ssh', file: 'ssh-ed25519 AAAA', ...change }]

test.each<[string, JsonValue, string]>([
  ['that are no list', { type: 'ssh' }, 'keys must be a list'],
  ['without end', Array.from({ length: 65 }, () => ({ type: 'ssh', file: 'x' })), 'keys must be a list of at most 64'],
  ['of another kind', key({ type: 'exe' }), 'keys.0.type must be ssh or gpg'],
  ['without content', key({ file: '' }), 'keys.0.file must be the key'],
  ['that are too long', key({ file: 'x'.repeat(65_537) }), 'keys.0.file must be the key'],
  ['of type gpg without a place', key({ type: 'gpg' }), 'keys.0.dest must be'],
  ['at a place with ..', key({ dest: '/root/../etc/shadow' }), 'keys.0.dest must be'],
  ['at a relative place', key({ dest: 'etc/x' }), 'keys.0.dest must be'],
  ['at a directory', key({ dest: '/etc/' }), 'keys.0.dest must be'],
  ['in the files of the kernel', key({ dest: '/proc/sysrq-trigger' }), 'keys.0.dest must be'],
  ['among devices', key({ dest: '/dev/sda' }), 'keys.0.dest must be'],
  ['at a place with a zero byte', key({ dest: '/etc/\0x' }), 'keys.0.dest must be']
])('keys %s are refused', (_what, keys, message) => {
  expect(() => toPreparation({}, undefined, keys)).toThrow(
    expect.objectContaining({ code: 'ALLOCATION_BAD_PREPARATION', message: expect.stringContaining(message) as unknown })
  )
})

test('a script that is to run and did not come is refused, whatever its name', () => {
  for (const name of ['b', '__proto__', 'toString', '../x']) {
    expect(() => toPreparation({ a: script('') }, [name], null)).toThrow('is missing')
  }
  expect(() =>
    toPreparation(
      { a: script('') },
      Array.from({ length: 65 }, () => 'a'),
      null
    )
  ).toThrow('at most 64')
})

test('scripts run in the order that is told, and by name where none is', () => {
  const scripts = { b: script('two'), a: script('one') }
  const names = (order?: readonly string[]) => toPreparation(scripts, order, null).scripts.map(({ name }) => name)
  expect(names(['b', 'a', 'b'])).toEqual(['b', 'a', 'b'])
  expect(names()).toEqual(['a', 'b'])
})

test('keys for one account become lines of one file that only its user reads', () => {
  const keys = [
    { type: 'ssh', file: 'ssh-ed25519 AAAA one' },
    { type: 'gpg', file: 'secret', dest: '/etc/keys/a' },
    { type: 'ssh', file: 'ssh-ed25519 BBBB two\n' }
  ]
  expect(toPreparation({}, undefined, keys).files.map(({ path, content, mode }) => [path, fromUtf8(content), mode])).toEqual([
    ['/root/.ssh/authorized_keys', 'ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n', 0o600],
    ['/etc/keys/a', 'secret', 0o600]
  ])
})

test('what is stored of them tells nobody but this node what they are', () => {
  const nodeKey = generateKeyPair()
  const preparation = toPreparation({ a: script('password=hunter2') }, undefined, key({ file: 'hunter3' }))
  const sealed = sealPreparation(nodeKey, preparation)
  expect(Buffer.from(sealed ?? '', 'base64').toString('latin1')).not.toMatch(/hunter/)
  expect(unsealPreparation(nodeKey, sealed)).toEqual(preparation)
  expect(() => unsealPreparation(generateKeyPair(), sealed)).toThrow('another key')
})

test('nothing is stored of nothing', () => {
  const nothing = { files: [], scripts: [], volumes: [] }
  expect(sealPreparation(generateKeyPair(), nothing)).toBeUndefined()
  expect(unsealPreparation(generateKeyPair(), undefined)).toEqual(nothing)
})
