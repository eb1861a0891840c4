import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requirement } from '../../src/testing/index.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/nunet', import.meta.url))
const start = promisify(execFile)

const shell = (name: string) =>
  requirement(name, async () => {
    await start(name, ['--version'])
    return { available: true }
  })

const bash = await shell('bash')
const zsh = await shell('zsh')
const fish = await shell('fish')

let home = ''
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'nunet-completion-'))
  for (const directory of ['.nunet/key', '.nunet/cap', 'bin', 'inner']) await mkdir(join(home, directory), { recursive: true })
  for (const name of ['user', 'dms']) await writeFile(join(home, '.nunet/key', `${name}.json`), 'not a key')
  for (const name of ['user', 'ledger:work']) await writeFile(join(home, '.nunet/cap', `${name}.cap`), 'not a context')
  await writeFile(join(home, 'an ensemble.yaml'), '')
  await symlink(PROGRAM, join(home, 'bin', 'nunet'))
  for (const name of ['bash', 'zsh', 'fish']) await writeFile(join(home, `nunet.${name}`), await run(PROGRAM, 'completion', name))
})
afterAll(() => rm(home, { recursive: true }))

/** Stdout of a program that must succeed without a complaint. */
async function run(program: string, ...args: readonly string[]): Promise<string> {
  const env = { PATH: `${join(home, 'bin')}:${process.env['PATH'] ?? ''}`, HOME: home, TERM: 'dumb' }
  const { stdout, stderr } = await start(program, args, { cwd: home, env })
  expect(stderr).toBe('')
  return stdout
}

/** Sets what readline sets at a TAB, with the words cut as bash cuts them, and prints each answer. */
const DRIVER = `
source ./nunet.bash
COMP_LINE=$1; COMP_POINT=\${#1}; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_nunet 2>/dev/null
printf '%s\\n' "\${COMPREPLY[@]}"
`

async function tab(line: string, ...words: readonly string[]): Promise<readonly string[]> {
  const answer = await run('bash', '--norc', '-c', DRIVER, 'driver', line, ...words)
  return answer.split('\n').filter((word) => word !== '')
}

describe.skipIf(!bash.available)(bash.title('in bash, a TAB'), () => {
  test('is answered by a script that bash can read', async () => {
    expect(await run('bash', '-n', 'nunet.bash')).toBe('')
  })

  test.each([
    ['nunet no-such-command ', ['nunet', 'no-such-command', ''], []],
    ['nunet key d', ['nunet', 'key', 'd'], ['did', 'delete']],
    ['nunet key did ', ['nunet', 'key', 'did', ''], ['dms', 'user']],
    ['nunet  key   did  u', ['nunet', 'key', 'did', 'u'], ['user']],
    ['nunet config get rest.', ['nunet', 'config', 'get', 'rest.'], ['rest.addr', 'rest.port', 'rest.socket']],
    ['nunet cap list --context=u', ['nunet', 'cap', 'list', '--context', '=', 'u'], ['user']],
    ['nunet cap list --context=', ['nunet', 'cap', 'list', '--context', '='], ['ledger:work', 'user']],
    ['nunet cap list -c ledger:w', ['nunet', 'cap', 'list', '-c', 'ledger', ':', 'w'], ['work']],
    ['nunet actor cmd /dms/node/peers/se', ['nunet', 'actor', 'cmd', '/dms/node/peers/se'], ['/dms/node/peers/self']],
    ['nunet validate an', ['nunet', 'validate', 'an'], ['an ensemble.yaml']],
    ['nunet --user-dir in', ['nunet', '--user-dir', 'in'], ['inner']]
  ] as const)('after %j', async (line, words, fitting) => {
    expect(await tab(line, ...words)).toEqual(fitting)
  })

  test('asks the program that is on the line', async () => {
    expect(await tab('~/bin/nunet key did u', '~/bin/nunet', 'key', 'did', 'u')).toEqual(['user'])
  })
})

describe.skipIf(!zsh.available)(zsh.title('zsh'), () => {
  test('reads the script and registers it', async () => {
    expect(await run('zsh', '-f', '-n', 'nunet.zsh')).toBe('')
    const script = 'autoload -Uz compinit; compinit -D -u; source ./nunet.zsh; print -- $_comps[nunet]'
    expect(await run('zsh', '-f', '-c', script)).toBe('_nunet\n')
  })
})

describe.skipIf(!fish.available)(fish.title('fish'), () => {
  test('reads the script', async () => {
    expect(await run('fish', '-n', 'nunet.fish')).toBe('')
  })

  test('completes names of keys, with what they are', async () => {
    const answer = await run('fish', '-N', '-c', "source nunet.fish; complete -C 'nunet key did '")
    expect(answer).toBe('dms\tkey\nuser\tkey\n')
  })
})

describe('config through the built program', () => {
  const nunet = (...args: readonly string[]) => run(PROGRAM, '--config', 'own.json', ...args)

  test.each([
    ['rest.prt', '1', 'unknown key "rest.prt"; did you mean "rest.port"?'],
    ['rest.port', 'x', 'rest.port must be a whole number'],
    ['p2p.listen_address', '[1]', 'must be a list of texts']
  ])('refuses %s = %s and makes no file', async (key, text, message) => {
    await expect(nunet('config', 'set', key, text)).rejects.toMatchObject({ code: 2, stdout: '' })
    await expect(nunet('config', 'set', key, text)).rejects.toThrow(message)
    await expect(readFile(join(home, 'own.json'))).rejects.toThrow('ENOENT')
  })

  test.each([
    ['rest.port', '8080', { rest: { port: 8080 } }],
    ['general.debug', 'true', { general: { debug: true } }],
    ['apm.api_key', '12345', { apm: { api_key: '12345' } }],
    ['p2p.bootstrap_peers', '/a,/b', { p2p: { bootstrap_peers: ['/a', '/b'] } }],
    ['observability.log_level', 'DEBUG', { observability: { logging: { level: 'DEBUG' } } }]
  ])('sets %s = %s, and nothing else', async (key, text, members) => {
    expect(await nunet('config', 'set', key, text)).toContain('Applied changes.')
    expect(JSON.parse(await readFile(join(home, 'own.json'), 'utf8'))).toEqual(members)
    expect(await nunet('config', 'get', '-q', '--reveal', '--sources', key)).toMatch(/ {2}\(file .*own\.json\)\n$/)
    await nunet('config', 'unset', key)
    expect(await readFile(join(home, 'own.json'), 'utf8')).toBe('{}\n')
    await rm(join(home, 'own.json'))
  })
})
