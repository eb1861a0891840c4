import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMachines, type TestMachine, type TestMachines } from '../support/machine.ts'

interface WrongInput {
  readonly what: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly says: RegExp
  /** Lines on stderr; default one. */
  readonly lines?: number
  readonly code: number
}

const BAD_TOKEN = '{"tok":[null]}'

const CASES: readonly WrongInput[] = [
  { what: 'an unknown command', args: ['depoly'], says: /unknown command "depoly" for "nunet"/, code: 2 },
  { what: 'an unknown flag', args: ['key', 'list', '--colour'], says: /unknown flag: --colour/, code: 2 },
  { what: 'an unknown short flag', args: ['key', 'list', '-x'], says: /unknown shorthand flag: 'x' in -x/, code: 2 },
  { what: 'a missing argument', args: ['key', 'new'], says: /accepts 1 arg\(s\), received 0/, code: 2 },
  {
    what: 'a missing required flag',
    args: ['cap', 'anchor', '--root', 'did:key:z'],
    says: /required flag\(s\) "context" not set/,
    code: 2
  },
  {
    what: 'an unknown behaviour',
    args: ['actor', 'cmd', '-c', 'user', '/dms/node/peers/slef'],
    says: /\/dms\/node\/peers\/self/,
    code: 2
  },
  { what: 'a daemon that does not run', args: ['actor', 'cmd', '-c', 'user', '/public/hello'], says: /is it running/, code: 69 },
  { what: 'malformed YAML', args: ['validate', 'malformed.yaml'], says: /malformed\.yaml:\d+:\d+/, lines: 2, code: 2 },
  { what: 'an ensemble with a wrong value', args: ['validate', 'wrong.yaml'], says: /resources\.cpu\.cores/, lines: 2, code: 2 },
  { what: 'an ensemble that is not there', args: ['validate', 'nowhere.yaml'], says: /nowhere\.yaml/, code: 66 },
  {
    what: 'a deployment file that is not there',
    args: ['actor', 'cmd', '-c', 'user', '/dms/node/deployment/new', '-f', 'nowhere.yaml'],
    says: /nowhere\.yaml/,
    code: 66
  },
  {
    what: 'a bad DID as a root anchor',
    args: ['cap', 'anchor', '--context', 'dms', '--root', 'did:key:zzz'],
    says: /did:key:zzz/,
    code: 2
  },
  {
    what: 'a bad DID in a grant',
    args: ['cap', 'grant', '--context', 'user', '--cap', '/public', '--duration', '1h', 'nobody'],
    says: /nobody/,
    code: 2
  },
  {
    what: 'a bad capability',
    args: [
      'cap',
      'grant',
      '--context',
      'user',
      '--cap',
      'public',
      '--duration',
      '1h',
      'did:key:z6MknaPMu6ju2PNYWQ3wnshnLA8erLb5sauVgTtY7Ni18VyR'
    ],
    says: /public/,
    code: 2
  },
  { what: 'a token with null inside', args: ['cap', 'anchor', '--context', 'dms', '--require', BAD_TOKEN], says: /tok/, code: 2 },
  { what: 'a wrong passphrase', args: ['key', 'did', 'user'], env: { DMS_PASSPHRASE: 'wrong' }, says: /mac mismatch/, code: 77 },
  {
    what: 'no passphrase and no terminal',
    args: ['key', 'did', 'user'],
    env: { DMS_PASSPHRASE: '' },
    says: /DMS_PASSPHRASE/,
    code: 77
  },
  {
    what: 'a key to import that is none',
    args: ['key', 'import', 'new', '-'],
    input: 'no key\n',
    says: /not a private key/,
    code: 2
  },
  { what: 'a key file to import that is not there', args: ['key', 'import', 'new', 'nowhere'], says: /nowhere/, code: 66 },
  {
    what: 'a key file to import that is damaged',
    args: ['key', 'import', 'new', '-'],
    input: '{"version":3}',
    says: /cannot open key new: cipher mismatch/,
    code: 2
  },
  {
    what: 'an import without a source',
    args: ['key', 'import', 'new'],
    says: /name the file to import, or - for stdin/,
    code: 77
  },
  { what: 'an import over a key', args: ['key', 'import', 'user', '-'], input: '{}', says: /--force/, code: 65 },
  {
    what: 'an export over a file',
    args: ['key', 'export', 'user', '-o', 'wrong.yaml'],
    says: /wrong\.yaml exists already/,
    code: 65
  },
  { what: 'a private key to be shown without a word', args: ['key', 'export', 'user', '--plain'], says: /--yes/, code: 65 },
  { what: 'a deletion without a word', args: ['key', 'delete', 'user'], says: /--yes/, lines: 2, code: 65 },
  {
    what: 'a deletion with a wrong passphrase',
    args: ['key', 'delete', 'user', '--yes'],
    env: { DMS_PASSPHRASE: 'wrong' },
    says: /mac mismatch/,
    lines: 2,
    code: 77
  },
  { what: 'a new passphrase from nowhere', args: ['key', 'passphrase', 'user'], says: /there is no new passphrase/, code: 77 },
  {
    what: 'a new passphrase that is empty',
    args: ['key', 'passphrase', 'user', '--new-passphrase-fd', '0'],
    says: /file descriptor 0 is empty/,
    code: 77
  },
  {
    what: 'a passphrase file that is not there',
    args: ['key', 'did', 'user', '--passphrase-file', 'nowhere'],
    says: /the passphrase file nowhere does not exist/,
    code: 66
  },
  {
    what: 'a descriptor that is not open',
    args: ['key', 'did', 'user', '--passphrase-fd', '77'],
    says: /77 is not open/,
    code: 2
  },
  { what: 'a key to unlock that is not there', args: ['unlock', 'nobody'], says: /nobody/, code: 66 },
  { what: 'a key to unlock for too long', args: ['unlock', 'user', '--for', '25h'], says: /at most 24h/, code: 2 },
  { what: 'a key to unlock for a time that is none', args: ['unlock', 'user', '--for', 'ever'], says: /--for/, code: 2 },
  { what: 'a key to lock that is not unlocked', args: ['lock', 'user'], says: /the key user is not unlocked/, code: 66 },
  { what: 'a key that is not there', args: ['key', 'did', 'nobody'], says: /nobody/, code: 66 },
  { what: 'a key name that leaves the directory', args: ['key', 'new', '../evil'], says: /\.\.\/evil/, code: 2 },
  { what: 'a context that is not there', args: ['cap', 'list', '--context', 'nobody'], says: /nobody/, code: 66 },
  { what: 'a key that exists already', args: ['key', 'new', 'user'], says: /exists/, code: 65 },
  { what: 'an unknown configuration key', args: ['config', 'set', 'rest.prot', '1'], says: /rest\.port/, code: 2 },
  { what: 'a configuration value of the wrong type', args: ['config', 'set', 'rest.port', 'many'], says: /rest\.port/, code: 2 },
  { what: 'a broken configuration file', args: ['--config', 'broken.json', 'run', '-c', 'dms'], says: /broken\.json/, code: 2 },
  {
    what: 'a configuration file with an unknown key',
    args: ['--config', 'unknown.json', 'run', '-c', 'dms'],
    says: /rest\.prot.*rest\.port/,
    code: 2
  },
  {
    what: 'a configuration file that is not there',
    args: ['--config', 'nowhere.json', 'run', '-c', 'dms'],
    says: /nowhere\.json/,
    code: 66
  },
  { what: 'a message that is no envelope', args: ['actor', 'send', '{"a"'], says: /could not unmarshal message/, code: 2 },
  { what: 'a payload that is no JSON', args: ['actor', 'msg', '-c', 'user', '/public/hello', '{'], says: /JSON/, code: 2 },
  {
    what: 'two flags that exclude each other',
    args: ['actor', 'cmd', '-c', 'user', '-t', '5s', '-e', '2030-01-01', '/public/hello'],
    says: /none of the others can be/,
    code: 2
  },
  {
    what: 'an expiry in the past',
    args: [
      'cap',
      'grant',
      '--context',
      'user',
      '--cap',
      '/a',
      '--expiry',
      '1999-01-01',
      'did:key:z6MknaPMu6ju2PNYWQ3wnshnLA8erLb5sauVgTtY7Ni18VyR'
    ],
    says: /1999/,
    code: 2
  }
]

describe('wrong input at the command line', () => {
  let machines: TestMachines
  let machine: TestMachine
  let occupied: Server

  beforeAll(async () => {
    machines = await createMachines()
    machine = await machines.create('owner')
    await writeFile(join(machine.home, 'malformed.yaml'), 'version: V1\nallocations: [\n')
    await writeFile(join(machine.home, 'broken.json'), '{ "rest": { "port": 1, } }')
    await writeFile(join(machine.home, 'unknown.json'), '{ "rest": { "prot": 9999 } }')
    await writeFile(
      join(machine.home, 'wrong.yaml'),
      'version: V1\nallocations:\n  a:\n    type: task\n    executor: wasm\n    resources: { cpu: { cores: -1 }, ram: { size: 1 }, disk: { size: 1 } }\n    execution: { type: wasm, module: "base64:AGFzbQEAAAA=" }\nnodes:\n  n:\n    allocations: [a]\n'
    )
    occupied = createServer()
    occupied.listen(0, '127.0.0.1')
    await once(occupied, 'listening')
  })

  afterAll(async () => {
    occupied.close()
    await machines.dispose()
  })

  /** Everything that a command could have changed. */
  async function files(): Promise<Readonly<Record<string, string>>> {
    const found: Record<string, string> = {}
    for (const entry of await readdir(machine.home, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      found[path] = await readFile(path, 'utf8')
    }
    return found
  }

  async function expectRefused({ args, env, input, says, lines = 1, code }: WrongInput): Promise<void> {
    const before = await files()
    const outcome = await machine.nunet(args, {
      ...(env === undefined ? {} : { env }),
      ...(input === undefined ? {} : { input })
    })
    expect(outcome.stderr).toMatch(says)
    expect(outcome.stderr.trimEnd().split('\n'), outcome.stderr).toHaveLength(lines)
    expect(outcome.stderr).toMatch(/^Error: /m)
    expect(outcome.stdout).toBe('')
    expect(outcome.code).toBe(code)
    expect(await files()).toEqual(before)
  }

  for (const wrong of CASES) {
    test(`${wrong.what} gives one clear line, exit code ${wrong.code}, and changes nothing`, () => expectRefused(wrong))
  }

  test('a REST port in use stops the daemon with one line that names it', async () => {
    const address = occupied.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { code, stderr } = await machine.nunet(['--rest-port', String(port), 'run', '-c', 'dms'])
    const errors = stderr.split('\n').filter((line) => line.startsWith('Error: '))
    expect(errors).toHaveLength(1)
    expect(errors[0]).toContain(String(port))
    expect(code).toBe(65)
    expect(existsSync(join(machine.home, 'data', 'daemon.lock'))).toBe(false)
  })
})
