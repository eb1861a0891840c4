import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CommandSpec, visibleCommands } from './command.ts'
import { type CallOptions, call } from './fixtures.ts'
import { ROOT } from './table.ts'

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-'))
})
afterEach(() => rm(home, { recursive: true }))

const nunet = (line: string, options?: CallOptions) => call(home, line === '' ? [] : line.split(' '), options)

describe('wrong input is one line on stderr, nothing on stdout, no file, and', () => {
  test.each([
    ['bogus', 2, 'unknown command "bogus" for "nunet"'],
    ['version --bogus', 2, 'unknown flag: --bogus'],
    ['version now', 2, 'unknown command "now" for "nunet version"'],
    ['key new', 2, 'accepts 1 arg(s), received 0'],
    ['key new a b', 2, 'accepts 1 arg(s), received 2'],
    ['key new ../x', 2, 'invalid key name'],
    [
      'key new ledger:user',
      2,
      'ledger:user means a wallet: its key was made there; show its DID with: nunet key did ledger:user'
    ],
    ['key new eternl', 2, 'eternl means a wallet'],
    ['key new user --type rsa', 2, '--type must be ed25519 or secp256k1, not rsa'],
    ['key did ledger:a:b', 2, 'invalid wallet name "ledger:a:b"'],
    ['key did ledger:-1', 2, 'ledger index cannot be negative: -1'],
    ['key did ledger:99999999999', 2, 'the ledger index 99999999999 is too large'],
    ['key ledger-alias set biz', 2, 'accepts 2 arg(s), received 1'],
    ['key ledger-alias set biz one', 2, 'index must be a non-negative integer'],
    ['key ledger-alias set a:b 1', 2, 'must not hold a colon'],
    ['key ledger-alias remove biz', 66, 'ledger alias not found: "biz"'],
    ['cap new ledger:../x', 2, 'invalid wallet name'],
    ['cap list -c ledger:user', 66, 'there is no capability context ledger:user; create it with: nunet cap new ledger:user'],
    ['run -c ledger', 2, 'ledger means a wallet: the service signs every message by itself'],
    ['key did nobody', 66, 'there is no key with name nobody; create it with: nunet key new nobody'],
    ['cap new ../x', 2, 'invalid context name'],
    ['cap list', 66, 'there is no capability context user; create it with: nunet cap new user'],
    ['cap anchor', 2, 'required flag(s) "context" not set'],
    ['cap anchor -c dms', 2, 'at least one of the flags in the group [root require provide revoke] is required'],
    [
      'cap anchor -c dms --root x --require y',
      2,
      'if any flags in the group [root require provide revoke] are set none of the others can be; [root require] were all set'
    ],
    ['cap anchor -c dms --root x', 2, '--root must be a DID'],
    ['cap anchor -c dms --require {', 2, 'invalid token: invalid JSON'],
    ['cap anchor -c dms --require {}', 2, 'the token list is empty'],
    ['cap grant did:key:z6Mk', 2, 'required flag(s) "context", "cap" not set'],
    ['cap grant x -c a --cap /a', 2, 'at least one of the flags in the group [expiry duration] is required'],
    ['cap grant x -c a --cap /a --expiry soon', 2, 'invalid expiry "soon"'],
    ['cap grant x -c a --cap /a --expiry 2024-12-31', 2, 'the expiry 2024-12-31 has passed'],
    ['cap grant x -c a --cap /a --duration 0', 2, 'the duration must be more than 0'],
    ['cap delegate x -c a --cap /a --duration 1h --self-sign maybe', 2, '--self-sign must be no, also or only'],
    ['config get no.such', 66, 'key "no.such" not found'],
    ['config get a b', 2, 'accepts at most 1 arg(s), received 2'],
    ['config set rest.port', 2, 'accepts 2 arg(s), received 1'],
    ['config set rest.prot 1', 2, 'did you mean "rest.port"?'],
    ['config set rest.port many', 2, 'rest.port'],
    ['config edit', 2, '$EDITOR not set'],
    ['--config nowhere.json config get', 66, 'nowhere.json does not exist'],
    ['--rest-port 0x10 config get', 2, 'invalid argument "0x10" for "--rest-port" flag'],
    ['run', 66, 'there is no key and no capability context with name dms; create with: nunet key new dms && nunet cap new dms'],
    ['validate nothing.yaml', 66, 'the file nothing.yaml does not exist'],
    ['validate .', 2, 'not a regular file'],
    ['actor cmd /no/such', 2, 'unknown behavior "/no/such" for "nunet actor cmd"'],
    ['actor cmd /public/hello -t 1m -e 2030-01-01', 2, '[timeout expiry] were all set'],
    ['actor cmd /dms/node/peers/ping', 2, 'required flag(s) "host" not set'],
    [
      'actor cmd /dms/node/onboarding/onboard --ram 1',
      2,
      'if any flags in the group [ram cpu disk] are set they must all be set; missing [cpu disk]'
    ],
    ['actor cmd /dms/node/onboarding/onboard', 2, 'at least one of the flags in the group [ram cpu disk max] is required'],
    ['actor cmd /dms/node/onboarding/onboard --ram much --cpu 1 --disk 1', 2, 'invalid argument "much" for "--ram" flag'],
    ['actor cmd /dms/node/onboarding/onboard --ram 1 --cpu 1 --disk 1 -G x', 2, 'for "-G, --gpus" flag'],
    ['actor cmd /dms/node/deployment/list --created-after yesterday', 2, 'for "--created-after" flag'],
    ['actor cmd /dms/node/deployment/list --filter nothing', 2, 'must be key=value'],
    ['actor cmd /dms/node/deployment/new', 66, 'the file ensemble.yaml does not exist'],
    ['actor msg /public/hello', 2, 'accepts 2 arg(s), received 1'],
    ['actor msg /public/hello text', 2, 'the payload must be JSON'],
    ['actor msg /public/hello {} -i -b /t', 2, '[invoke broadcast] were all set'],
    ['actor invoke {}', 2, 'could not unmarshal message'],
    ['actor send -', 2, 'could not unmarshal message']
  ])('nunet %s exits %i', async (line, code, message) => {
    const outcome = await nunet(line)
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toContain(message)
    expect(outcome.stderr).toMatch(/^Error: [^\n]*\n$/)
    expect(await readdir(home)).toEqual([])
  })
})

describe('help', () => {
  function* paths(command: CommandSpec, path: readonly string[]): Generator<readonly string[]> {
    yield path
    for (const below of visibleCommands(command)) yield* paths(below, [...path, below.name])
  }

  test.each([...paths(ROOT, [])].map((path) => [path.join(' '), path] as const))(
    'of "nunet %s" is on stdout',
    async (_, path) => {
      const asked = await call(home, [...path, '--help'])
      expect(asked).toMatchObject({ code: 0, stderr: '' })
      expect(asked.stdout).toContain(`Usage:\n  ${['nunet', ...path].join(' ')} `)
      expect(await call(home, ['help', ...path])).toEqual(asked)
      expect(await call(home, ['-h', ...path])).toEqual(asked)
    }
  )

  test('is what groups print, and it loads no command', async () => {
    expect((await nunet('')).stdout).toContain('Commands:\n  run ')
    expect((await nunet('actor cmd')).stdout).toContain('/dms/node/deployment/new')
  })
})

test('version has the lines that clients read', async () => {
  const { code, stdout } = await nunet('version')
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^NuNet Device Management Service\nVersion: \d+\.\d+\.\d+\S*\nCommit: \S+\n\nGo Version: none \(Node\.js v\S+\)\nNode Version: v\d\S*\nBuild Date: \S+\n$/
  )
})

test('version is also asked for with a flag, and printed as JSON', async () => {
  expect(await nunet('--version')).toEqual(await nunet('version'))
  expect(JSON.parse((await nunet('version --json')).stdout)).toMatchObject({ node_version: process.version })
  expect(await nunet('key --version')).toMatchObject({ code: 2, stdout: '' })
})

describe('the passphrase', () => {
  test('is not asked for without a terminal', async () => {
    const outcome = await nunet('key new user', { passphrase: '' })
    expect(outcome).toEqual({
      code: 77,
      stdout: '',
      stderr:
        'Error: DMS_PASSPHRASE is not set and there is no terminal to ask on; --passphrase-file and --passphrase-fd are other sources\n'
    })
  })

  test('is asked for three times when it is mistyped, then given up', async () => {
    const outcome = await nunet('key new user', { passphrase: '', answers: ['a', 'b', 'a', 'b', 'a', 'b'] })
    expect(outcome).toMatchObject({ code: 77, stdout: '' })
    expect(outcome.stderr).toContain('passphrases do not match\n')
    expect(outcome.stderr).toContain('Error: user failed to input passphrase\n')
  })

  test('must not be empty', async () => {
    expect((await nunet('key new user', { passphrase: '', answers: [''] })).stderr).toContain('invalid passphrase')
  })

  test('that is wrong does not open a key', async () => {
    await nunet('key new user')
    expect(await nunet('key did user', { passphrase: 'wrong' })).toMatchObject({ code: 77, stdout: '' })
  })

  test('is asked for on a terminal, twice for a new key and once for an old one', async () => {
    const created = await nunet('key new user', { passphrase: '', answers: ['a', 'b', 'pass', 'pass'] })
    expect(created.stderr).toBe(
      `${'Passphrase: Please confirm your passphrase: passphrases do not match\n'}Passphrase: Please confirm your passphrase: `
    )
    const shown = await nunet('key did user', { passphrase: '', answers: ['pass'] })
    expect(shown).toEqual({ code: 0, stdout: created.stdout, stderr: 'Passphrase: ' })
  })

  test('is read from a file, without its line break', async () => {
    await writeFile(join(home, 'pass'), 'secret\n')
    const { stdout } = await nunet('key new user', { passphrase: '', environment: { DMS_PASSPHRASE_FILE: 'pass' } })
    expect(await nunet('key did user')).toEqual({ code: 0, stdout, stderr: '' })
  })

  test('is given up with Ctrl-C', async () => {
    expect(await nunet('key new user', { passphrase: '', answers: [] })).toMatchObject({ code: 130, stdout: '' })
  })
})

describe('something that exists', () => {
  test.each([['key new user'], ['cap new user']])('is not replaced by %s without a terminal', async (line) => {
    const { stdout } = await nunet(line)
    const again = await nunet(line)
    expect(again).toMatchObject({ code: 65, stdout: '' })
    expect(again.stderr).toContain('already exists; use --force to replace it')
    expect((await nunet('key did user')).stdout).toBe(stdout)
  })

  test('is kept when the answer is no', async () => {
    const { stdout } = await nunet('key new user')
    const again = await nunet('key new user', { answers: ['', 'what', 'No'] })
    expect(again).toMatchObject({ code: 65, stdout: '' })
    expect(again.stderr).toContain("A key with name 'user' already exists. Do you want to overwrite it with a new one? (y/N): ")
    expect((await nunet('key did user')).stdout).toBe(stdout)
  })

  test.each([
    ['key new user --force', undefined],
    ['key new user', ['yes']]
  ])('is replaced by %s %s', async (line, answers) => {
    const before = await nunet('key new user')
    const after = await nunet(line, answers === undefined ? {} : { answers })
    expect(after).toMatchObject({ code: 0, stdout: expect.stringMatching(/^did:key:z\S+\n$/) as string })
    expect(after.stdout).not.toBe(before.stdout)
  })
})

test('key list prints the names of all keys', async () => {
  expect(await nunet('key list')).toEqual({ code: 0, stdout: '', stderr: '' })
  await nunet('key new user')
  await nunet('key new dms')
  expect((await nunet('key list')).stdout).toBe('dms\nuser\n')
})

describe('config', () => {
  test('get prints JSON on stdout and where it is from on stderr', async () => {
    expect(await nunet('config get rest')).toEqual({
      code: 0,
      stdout: '{\n    "addr": "127.0.0.1",\n    "port": 9999,\n    "socket": "auto"\n}\n',
      stderr: 'No config file found: these are the defaults\n'
    })
    expect(await readdir(home)).toEqual([])
  })

  test('set writes one key, and get finds it', async () => {
    const path = join(home, '.nunet/dms_config.json')
    expect((await nunet('config set rest.port 10000')).stdout).toBe(
      `Config file did not exist. Creating new file...\nConfig path: ${path}\nApplied changes.\n`
    )
    expect((await nunet('config set REST.ADDR 0.0.0.0')).stdout).toBe('Updating existing config file...\nApplied changes.\n')
    expect(await nunet('config get rest.port')).toEqual({
      code: 0,
      stdout: '10000\n',
      stderr: `Found config file at: ${path}\n`
    })
    expect((await nunet('--rest-port 1234 config get rest.port')).stdout).toBe('1234\n')
  })

  test('set takes everything that the appliance sets, in its order, without a passphrase', async () => {
    const settings = [
      ['observability.elasticsearch_api_key', 'abc'],
      ['observability.elasticsearch_enabled', 'true'],
      ['observability.elasticsearch_url', 'https://telemetry.example'],
      ['observability.elasticsearch_index', 'nunet-dms'],
      ['observability.elastic.flush_interval', '5'],
      ['observability.elastic.insecure_skip_verify', 'true'],
      ['observability.elastic.api_key', 'abc'],
      ['observability.elastic.enabled', 'true'],
      ['observability.elastic.url', 'https://telemetry.example'],
      ['observability.elastic.index', 'nunet-dms'],
      ['observability.logging.level', 'DEBUG'],
      ['observability.logging.file', '/home/nunet/logs/nunet-dms.log'],
      ['observability.logging.rotation.max_age_days', '28'],
      ['observability.logging.rotation.max_size_mb', '100'],
      ['observability.logging.rotation.max_backups', '3']
    ]
    const file = join(home, 'config.json')
    for (const [key = '', value = ''] of settings) {
      const outcome = await call(home, ['--config', file, 'config', 'set', key, value], { passphrase: '' })
      expect(outcome).toMatchObject({ code: 0, stderr: '' })
    }
    const { observability } = JSON.parse(await readFile(file, 'utf8')) as Record<string, object>
    expect(observability).toMatchObject({ elastic: { enabled: true, flush_interval: 5 }, logging: { level: 'DEBUG' } })
  })
})

describe('validate', () => {
  const valid = `version: V1
allocations:
  hello:
    executor: docker
    type: task
    resources: { cpu: { cores: 1 }, ram: { size: 1 }, disk: { size: 1 } }
    execution: { type: docker, image: hello-world }
nodes:
  one:
    allocations: [hello]
`

  test('prints every error with its place', async () => {
    await writeFile(join(home, 'bad.yaml'), valid.replace('executor: docker', 'executor: dcker').replace('[hello]', '[helo]'))
    const outcome = await nunet('validate bad.yaml')
    expect(outcome).toMatchObject({ code: 2, stdout: '' })
    expect(outcome.stderr).toMatch(/^bad\.yaml:\d+:\d+: allocations\.hello\.executor/m)
    expect(outcome.stderr).toMatch(/^Error: bad\.yaml is not valid: \d errors?\n$/m)
  })

  test('says that an ensemble is right', async () => {
    await writeFile(join(home, 'good.yaml'), valid)
    expect(await nunet('validate good.yaml')).toMatchObject({ code: 0, stdout: 'Configuration is valid.\n' })
  })

  test('does not follow a link out of the directory', async () => {
    const { symlink } = await import('node:fs/promises')
    await symlink('/etc/hostname', join(home, 'link'))
    await writeFile(join(home, 'leak.yaml'), `${valid}scripts:\n  leak: \${file:link}\n`)
    const outcome = await nunet('validate leak.yaml')
    expect(outcome).toMatchObject({ code: 2, stdout: '' })
    expect(outcome.stderr).toContain('leads out of the directory')
  })
})

describe('a broken configuration', () => {
  const READS_NONE = ['nunet validate', 'nunet version', 'nunet cap help', 'nunet config edit', 'nunet completion']
  /** Speak in their own manner of what is broken. */
  const OWN_WAY = ['nunet setup', 'nunet doctor']

  function* leaves(path: readonly CommandSpec[]): Generator<readonly CommandSpec[]> {
    const below = visibleCommands(path.at(-1))
    if (below.length === 0) yield path
    for (const command of below) yield* leaves([...path, command])
  }

  test.each(
    [...leaves([ROOT])]
      .map((path) => [path.map(({ name }) => name).join(' '), path.at(-1)?.examples?.[0] ?? ''] as const)
      .filter(([name]) => ![...READS_NONE, ...OWN_WAY].some((free) => name.startsWith(free)))
  )('stops %s, instead of silently meaning the defaults', async (_, example) => {
    await writeFile(join(home, 'dms_config.json'), '{ "rest": { "port": 1, } }')
    await writeFile(join(home, 'ensemble.yaml'), '')
    const argv = [...example.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '').slice(1)
    const end = argv.indexOf('<')
    const outcome = await call(home, end < 0 ? argv : argv.slice(0, end), { input: '' })
    expect(outcome).toMatchObject({ code: 2, stdout: '' })
    expect(await readFile(join(home, 'dms_config.json'), 'utf8')).toBe('{ "rest": { "port": 1, } }')
  })

  test('stops a setup that asks nothing before it makes anything', async () => {
    await writeFile(join(home, 'dms_config.json'), '{ "rest": { "port": 1, } }')
    const outcome = await nunet('setup --yes --no-network')
    expect(outcome.code).toBe(2)
    expect(outcome.stderr).toContain('dms_config.json: invalid JSON in line 1')
    expect(await readdir(home)).toEqual(['dms_config.json'])
  })

  test('is the first thing that a doctor finds', async () => {
    await writeFile(join(home, 'dms_config.json'), '{ "rest": { "port": 1, } }')
    const outcome = await nunet('doctor')
    expect(outcome.code).toBe(2)
    expect(outcome.stdout).toMatch(/^Configuration\n {2}problem file: .*dms_config\.json: invalid JSON in line 1/)
  })

  test.each([['version'], ['--help'], ['help key new'], ['completion bash'], ['__complete key']])(
    'does not stop %s',
    async (line) => {
      await writeFile(join(home, 'dms_config.json'), '{')
      expect(await nunet(line)).toMatchObject({ code: 0, stderr: '' })
    }
  )
})

test('a stack is shown for --debug only', async () => {
  expect((await nunet('key did nobody')).stderr).not.toContain('    at ')
  expect((await nunet('--debug key did nobody')).stderr).toContain('    at ')
})

test('cap help lists what can be granted, without a configuration or a key', async () => {
  const { code, stdout, stderr } = await call(home, ['cap', 'help'], { passphrase: '' })
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('  /public/hello ')
  expect(stdout).toContain('  /dms/cap/revoke/broadcast ')
  expect(stdout).toContain('  deploy      holders of /dms/deployment')
})
