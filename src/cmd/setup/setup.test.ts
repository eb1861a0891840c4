import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { JsonValue } from '../../base/index.ts'
import { summarizeContext } from '../../doctor/index.ts'
import { type CallOptions, call, type FakeNode, type SeenRequest, startFakeNode } from '../fixtures.ts'

const NOW = '2026-06-01T00:00:00Z'
/** Nobody listens there. */
const NO_DAEMON = ['--rest-port', '1']

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-setup-'))
})
afterEach(() => rm(home, { recursive: true }))

const nunet = (argv: readonly string[], options: CallOptions = {}) => call(home, argv, { now: NOW, ...options })
const setup = (argv: readonly string[], options?: CallOptions) => nunet([...NO_DAEMON, 'setup', ...argv], options)

async function capture(...argv: string[]): Promise<string> {
  return (await nunet(argv)).stdout.trim()
}

async function summaryOf(name: string) {
  const summary = summarizeContext(await readFile(join(home, '.nunet/cap', `${name}.cap`), 'utf8'))
  if (!summary.ok) throw new Error(summary.error)
  return summary.value
}

const files = async () => ({ key: await readdir(join(home, '.nunet/key')), cap: await readdir(join(home, '.nunet/cap')) })

/** An organisation of our own that plays NuNet's role, and a token of it for a DID. */
async function makeOrganization(): Promise<{ readonly did: string; grantTo(did: string): Promise<string> }> {
  const did = await capture('cap', 'new', 'org')
  const terms = [
    '--cap',
    '/public',
    '--cap',
    '/broadcast',
    '--cap',
    '/dms/deployment',
    '--topic',
    '/nunet',
    '--duration',
    '2400h'
  ]
  return { did, grantTo: (subject) => capture('cap', 'grant', '-c', 'org', ...terms, subject) }
}

describe('nunet setup refuses', () => {
  test('to ask without a terminal, and makes nothing', async () => {
    const { code, stderr } = await setup([])
    expect(code).toBe(77)
    expect(stderr).toContain('give --yes')
    expect(await readdir(home)).toEqual([])
  })

  test.each<[readonly string[], string]>([
    [['--yes', '--organization', 'did:key:nobody'], '--organization did:key:nobody holds no usable key'],
    [['--yes', '--expiry', '2020-01-01'], 'the expiry 2020-01-01 has passed'],
    [['--yes', '--token', '{'], 'invalid token'],
    [['--yes', '--set', 'rest.port'], 'must be key=value'],
    [['--yes', '--set', '/ip4/0.0.0.0/tcp/1'], 'must be key=value'],
    [['--yes', '--set', 'rest.port=many'], 'rest.port'],
    [['--yes', '--cpu', '1'], 'must all be set; missing [ram disk]'],
    [['--yes', '--no-network', '--organization', 'x'], 'none of the others can be']
  ])('%j', async (argv, message) => {
    const { code, stderr } = await setup(argv)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })

  test('a token for somebody else', async () => {
    const org = await makeOrganization()
    const token = await org.grantTo(org.did)
    const { code, stderr } = await setup(['--yes', '--organization', org.did, '--token', '-'], { input: token })
    expect(code).toBe(2)
    expect(stderr).toContain(`this token was given to ${org.did}, not to did:key:`)
  })

  test('to go on without a passphrase', async () => {
    expect(await setup(['--yes'], { passphrase: '' })).toMatchObject({ code: 77, stdout: '' })
  })

  test('to pretend that something is lent when it was asked to and nobody answers', async () => {
    expect((await setup(['--yes', '--cpu', '1', '--ram', '1', '--disk', '1'])).code).toBe(69)
  })
})

describe('nunet setup --yes', () => {
  test('does all it can, says what is open, and then finds nothing to do', async () => {
    const org = await makeOrganization()
    const argv = ['--yes', '--organization', org.did, '--expiry', '2027-01-01']
    const first = await setup(argv)
    expect(first).toMatchObject({ code: 0 })
    expect(first.stderr).toContain('Still open: token, lending.')
    const [user, dms] = [await summaryOf('user'), await summaryOf('dms')]
    expect(first.stdout).toBe(`user ${user.did}\ndms ${dms.did}\n`)
    expect(dms.roots).toEqual([user.did])
    expect(dms.require).toMatchObject([
      { issuer: user.did, subject: org.did, capabilities: ['/public', '/broadcast'], topics: ['/nunet'] }
    ])

    const second = await setup([...argv, '--token', '-'], { input: await org.grantTo(user.did) })
    expect(second).toMatchObject({ code: 0 })
    expect((await summaryOf('user')).provide).toMatchObject([{ issuer: org.did, subject: user.did }])
    const [delegated] = (await summaryOf('dms')).provide
    expect(delegated).toMatchObject({
      issuer: user.did,
      subject: dms.did,
      capabilities: ['/public', '/broadcast', '/dms/deployment']
    })

    const before = await files()
    const third = await setup(['--yes'], { passphrase: '' })
    expect(third).toMatchObject({ code: 0 })
    expect(third.stderr).toContain('Nothing was changed')
    expect(third.stderr).not.toContain('✓')
    expect(await files()).toEqual(before)
  })

  test('renews what ends within a week', async () => {
    const org = await makeOrganization()
    await setup(['--yes', '--organization', org.did, '--expiry', '2026-06-05'])
    const { stderr } = await setup(['--yes', '--organization', org.did])
    expect(stderr).toContain('✓ network')
    const ends = (await summaryOf('dms')).require.map(({ expiresAt }) =>
      new Date(Number(expiresAt / 1_000_000n)).getUTCFullYear()
    )
    expect(Math.max(...ends)).toBe(2027)
  })

  test('joins no network with --no-network, lets jobs in with --allow-jobs, and prints steps as JSON', async () => {
    const alone = await setup(['--yes', '--no-network', '--json'])
    const printed = JSON.parse(alone.stdout) as { steps: { step: string; state: string }[] }
    expect(printed.steps.find(({ step }) => step === 'network')).toMatchObject({ state: 'already' })
    expect((await summaryOf('dms')).require).toEqual([])
    const org = await makeOrganization()
    await setup(['--yes', '--organization', org.did, '--allow-jobs'])
    expect((await summaryOf('dms')).require[0]?.capabilities).toContain('/dms/deployment')
  })

  test('prints commands that do the same', async () => {
    const org = await makeOrganization()
    const { stderr } = await setup(['--yes', '--organization', org.did, '--expiry', '2027-01-01'])
    const commands = stderr.split('\n').flatMap((line) => /you can also run: nunet (.*)/.exec(line)?.[1] ?? [])
    expect(commands.map((command) => command.split(' ').slice(0, 2).join(' '))).toEqual([
      'key new',
      'cap new',
      'key new',
      'cap new',
      'cap anchor',
      'cap anchor'
    ])
    const root = (commands[4] ?? '').split(' ')
    expect((await nunet(root)).stderr).toContain('Already there')
    const [, grant = ''] = /\$\(nunet (.*)\)/.exec(commands[5] ?? '') ?? []
    const token = await capture(...grant.split(' '))
    expect((await nunet(['cap', 'anchor', '--context', 'dms', '--require', token])).stderr).toContain('Already there')
  })

  test('writes settings to the file that --config names, or to the one in the home directory', async () => {
    await setup(['--yes', '--no-network', '--set', 'p2p.listen_address=/ip4/0.0.0.0/tcp/9100,/ip4/0.0.0.0/tcp/9101'])
    expect(JSON.parse(await readFile(join(home, '.nunet/dms_config.json'), 'utf8'))).toEqual({
      p2p: { listen_address: ['/ip4/0.0.0.0/tcp/9100', '/ip4/0.0.0.0/tcp/9101'] }
    })
    expect((await setup(['--yes', '--no-network', '--config', 'own.json'])).code).toBe(0)
    expect(await readFile(join(home, 'own.json'), 'utf8')).toBe('{}\n')
  })
})

describe('nunet setup on a terminal', () => {
  /** Three settings, no passphrase questions, organisation, expiry, jobs, token. */
  const answersFor = (organization: string) => ['10000', '9100', '~/lend', 'key', organization, '2027-01-01', 'yes', '']

  test('asks again for what it does not understand', async () => {
    const org = await makeOrganization()
    const answers = [
      'x',
      '',
      '',
      'here',
      '',
      'paper',
      '',
      'did:key:nobody',
      org.did,
      '2020-01-01',
      '2027-01-01',
      'maybe',
      'n',
      '{',
      ''
    ]
    const { code, stderr } = await setup([], { answers })
    expect(code).toBe(0)
    for (const complaint of [
      'from 1 to 65535',
      'begins with /',
      'no usable key',
      'has passed',
      'answer y or n',
      'invalid token'
    ]) {
      expect(stderr).toContain(complaint)
    }
    expect((await summaryOf('dms')).require).toHaveLength(1)
    expect(await readdir(join(home, '.nunet'))).toEqual(['cap', 'key'])
  })

  test('loses nothing when it is interrupted at any question', async () => {
    const org = await makeOrganization()
    const answers = answersFor(org.did)
    for (let given = 0; given < answers.length; given += 1) {
      const interrupted = await setup([], { answers: answers.slice(0, given) })
      expect(interrupted.code, `after ${given} answers`).toBe(130)
      const again = await setup(['--yes', '--organization', org.did])
      expect(again.code, `after ${given} answers`).toBe(0)
      const [user, dms] = [await summaryOf('user'), await summaryOf('dms')]
      expect(dms).toMatchObject({ roots: [user.did], require: [{ subject: org.did }] })
      expect((await files()).key).toEqual(['dms.json', 'org.json', 'user.json'])
      for (const name of ['key/user.json', 'key/dms.json', 'cap/user.cap', 'cap/dms.cap']) await rm(join(home, '.nunet', name))
      await rm(join(home, '.nunet/dms_config.json'), { force: true })
    }
  })

  test('does everything, then again asks only for the token, and takes it', async () => {
    const org = await makeOrganization()
    expect((await setup([], { answers: answersFor(org.did) })).code).toBe(0)
    expect(JSON.parse(await readFile(join(home, '.nunet/dms_config.json'), 'utf8'))).toMatchObject({
      rest: { port: 10000 },
      p2p: { listen_address: ['/ip4/0.0.0.0/tcp/9100'] },
      general: { work_dir: '~/lend', data_dir: '~/lend/data' }
    })
    const token = await org.grantTo((await summaryOf('user')).did)
    const { code, stderr } = await setup([], { answers: [token] })
    expect(code).toBe(0)
    expect(stderr).toContain('✓ delegation')
    expect((await setup([], { answers: [], passphrase: '' })).stderr).toContain('Nothing was changed')
  })

  test('asks for a new passphrase twice for each key, and once for a key that it has to open', async () => {
    const passphrases = ['one', 'one', 'two', 'two']
    const answers = ['', '', '', '', ...passphrases, 'none']
    expect((await setup([], { answers, passphrase: '' })).code).toBe(0)
    const org = await makeOrganization()
    const again = await setup([], { answers: [org.did, '', '', 'one', 'two', ''], passphrase: '' })
    expect(again.code).toBe(0)
    expect((await summaryOf('dms')).require).toHaveLength(1)
  })
})

describe('with a running daemon, nunet setup', () => {
  let node: FakeNode
  let answer: (request: SeenRequest) => JsonValue | undefined
  beforeEach(async () => {
    node = await startFakeNode((request) => answer(request))
  })
  afterEach(() => node.close())

  const live = (argv: readonly string[], options?: CallOptions) =>
    nunet(['--rest-port', String(node.port), 'setup', '--no-network', ...argv], options)
  const lent = () => node.seen.filter(({ envelope }) => envelope.behavior.endsWith('/onboard'))

  test('leaves lending open when the daemon refuses, and fails by it when it was asked to lend', async () => {
    answer = ({ envelope }) =>
      envelope.behavior.endsWith('/status') ? { onboarded: false } : { success: false, error: 'too much' }
    const { code, stderr } = await live([], { answers: ['', '', '', '', 'y', '', '', ''] })
    expect(code).toBe(0)
    expect(stderr).toContain('! lending: too much')
    expect((await live(['--yes', '--cpu', '1', '--ram', '1', '--disk', '1'])).code).toBe(65)
  })

  test('lends nothing unless it is told to', async () => {
    answer = () => ({ onboarded: false })
    expect((await live(['--yes'])).stderr).toContain('! lending: nothing is lent')
    expect(lent()).toEqual([])
  })

  test('does not ask when something is lent already, nor without a passphrase', async () => {
    answer = () => ({ onboarded: true })
    expect((await live([], { answers: ['', '', '', ''] })).stderr).toContain('- lending: a part of this machine is lent')
    const blind = await live(['--yes'], { passphrase: '' })
    expect(blind).toMatchObject({ code: 0 })
    expect(blind.stderr).toContain('! lending: not looked at, because no passphrase is given')
  })

  test('lends what is answered', async () => {
    answer = ({ envelope }) => (envelope.behavior.endsWith('/status') ? { onboarded: false } : { success: true })
    const { code, stderr } = await live([], { answers: ['', '', '', '', 'y', '2', '0', '1.5', '10'] })
    expect(code).toBe(0)
    expect(stderr).toContain('✓ lending: 2 cores, 1.5 GiB of memory and 10 GiB of disk')
    expect(lent()[0]?.payload).toMatchObject({
      NoGPU: true,
      Config: { onboarded_resources: { cpu: { cores: 2 }, ram: { size: 1.5 * 2 ** 30 }, disk: { size: 10 * 2 ** 30 } } }
    })
  })
})
