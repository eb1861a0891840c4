import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { call } from './fixtures.ts'

let home = ''
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-'))
  for (const directory of ['.nunet/key', '.nunet/cap', 'other/key']) await mkdir(join(home, directory), { recursive: true })
  for (const name of ['user', 'dms', 'bad name', '$(id)']) await writeFile(join(home, '.nunet/key', `${name}.json`), 'not a key')
  for (const name of ['user', 'dms']) await writeFile(join(home, '.nunet/cap', `${name}.cap`), 'not a context')
  await writeFile(join(home, 'other/key/else.json'), '')
})
afterAll(() => rm(home, { recursive: true }))

/** The words that fit, and what else the shell shall offer. Nobody is asked: there is neither passphrase nor terminal. */
async function complete(...words: readonly string[]): Promise<{ readonly words: readonly string[]; readonly paths: string }> {
  const { code, stdout, stderr } = await call(home, ['__complete', ...words], { passphrase: '' })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const lines = stdout.trimEnd().split('\n')
  expect(lines.at(-1)).toMatch(/^:(none|files|directories)$/)
  return { words: lines.slice(0, -1).map((line) => line.split('\t')[0] ?? ''), paths: (lines.at(-1) ?? '').slice(1) }
}

describe('nothing fits', () => {
  test.each([
    [['no-such-command', '']],
    [['key', 'no-such-command', '']],
    [['--no-such-flag', 'key', 'did', 'x', '']],
    [['key', 'new', '']],
    [['--rest-port', '']],
    [['config', 'set', 'no.such.key', '']],
    [['config', 'set', 'general.env', '']],
    [['__complete', '']],
    [['key', 'did', '--', '-']]
  ])('after %j', async (words) => {
    expect(await complete(...words)).toEqual({ words: [], paths: 'none' })
  })

  test('of a user directory when the configuration is broken, which is no place to complain', async () => {
    await writeFile(join(home, 'broken.json'), '{')
    expect(await complete('--config', 'broken.json', 'key', 'did', '')).toEqual({ words: [], paths: 'none' })
  })
})

describe('what fits', () => {
  test.each([
    [['k'], ['key']],
    [['co'], ['config', 'completion']],
    [['he'], ['help']],
    [
      ['config', ''],
      ['get', 'set', 'unset', 'edit']
    ],
    [['help', 'config', 'g'], ['get']],
    [
      ['-c', 'dms', 'actor', 'cmd', '/dms/node/peers/'],
      [
        '/dms/node/peers/list',
        '/dms/node/peers/self',
        '/dms/node/peers/ping',
        '/dms/node/peers/connect',
        '/dms/node/peers/dht',
        '/dms/node/peers/score'
      ]
    ],
    [
      ['key', 'did', ''],
      ['dms', 'user']
    ],
    [['key', 'did', 'u'], ['user']],
    [
      ['cap', 'list', '-c', ''],
      ['dms', 'user']
    ],
    [['cap', 'list', '--context', 'd'], ['dms']],
    [['cap', 'list', '--context=d'], ['--context=dms']],
    [
      ['-c', ''],
      ['dms', 'user']
    ],
    [['--user-dir', 'other', 'key', 'did', ''], ['else']],
    [['--user-dir=other', 'key', 'did', ''], ['else']],
    [
      ['config', 'get', 'rest.'],
      ['rest.addr', 'rest.port', 'rest.socket']
    ],
    [
      ['config', 'set', 'general.debug', ''],
      ['true', 'false']
    ],
    [['config', 'set', 'observability.logging.level', 'D'], ['DEBUG']],
    [
      ['cap', 'delegate', '--self-sign', ''],
      ['no', 'also', 'only']
    ],
    [['actor', 'cmd', '/dms/node/deployment/list', '--sort', '-c'], ['-created_at']],
    [
      ['cap', 'issued', '--'],
      [
        '--context',
        '--json',
        '--config',
        '--rest-addr',
        '--rest-port',
        '--user-dir',
        '--work-dir',
        '--data-dir',
        '--debug',
        '--profiler-enabled',
        '--profiler-addr',
        '--profiler-port',
        '--passphrase-file',
        '--passphrase-fd',
        '--help'
      ]
    ],
    [['cap', 'list', '--context', 'dms', '--cont'], []],
    [['cap', 'grant', '--cap', '/a', '--cap'], ['--cap']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish']
    ]
  ])('after %j is %j', async (words, fitting) => {
    expect(await complete(...words)).toEqual({ words: fitting, paths: 'none' })
  })

  test.each([
    [['validate', ''], 'files'],
    [['--config', ''], 'files'],
    [['--config=x'], 'files'],
    [['--user-dir', ''], 'directories'],
    [['actor', 'cmd', '/dms/node/deployment/new', '-f', 'e'], 'files']
  ])('after %j are %s', async (words, paths) => {
    expect(await complete(...words)).toEqual({ words: [], paths })
  })

  test('has its meaning beside it', async () => {
    const { stdout } = await call(home, ['__complete', 'key', 'd'])
    expect(stdout).toBe(
      'did\tPrints the DID of a key or of a wallet.\ndelete\tRemoves a key for good; needs its passphrase.\n:none\n'
    )
  })
})

describe('a completion script', () => {
  test.each(['bash', 'zsh', 'fish'])('of %s asks the program on the line', async (shell) => {
    const { code, stdout } = await call(home, ['completion', shell])
    expect(code).toBe(0)
    expect(stdout).toContain('__complete')
    expect(stdout).not.toContain('@{')
  })

  test.each(['bash', 'zsh'])('of %s is what older versions called autocomplete', async (shell) => {
    expect(await call(home, ['autocomplete', shell])).toEqual(await call(home, ['completion', shell]))
  })

  test('of another shell is refused', async () => {
    expect(await call(home, ['completion', 'csh'])).toMatchObject({ code: 2, stdout: '' })
  })
})

test('commands for other programs are not shown to people', async () => {
  for (const words of [[], ['help'], ['--help'], ['__complete', '']]) {
    expect((await call(home, words)).stdout).not.toMatch(/__complete|__man|autocomplete/)
  }
  expect((await call(home, ['autocomplet'])).stderr).not.toContain('did you mean "autocomplete"')
})
