import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runAgent } from '../agent/index.ts'
import { millis, systemClock } from '../base/index.ts'
import { type CallOptions, call, type Outcome } from './fixtures.ts'

const SUBJECT = 'did:key:z6MknaPMu6ju2PNYWQ3wnshnLA8erLb5sauVgTtY7Ni18VyR'

let home = ''
let environment: Readonly<Record<string, string>>
let did = ''
let started: (readonly string[])[] = []
let agents: Promise<void>[] = []

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'cmd-unlock-'))
  environment = { TMPDIR: home }
  started = []
  agents = []
  did = (await nunet('key new user')).stdout
})
afterEach(async () => {
  await nunet('lock')
  await Promise.all(agents)
  rmSync(home, { recursive: true })
})

/** Runs a command line; the agent that it starts runs in this process. */
function nunet(line: string, options: CallOptions = {}): Promise<Outcome> {
  return call(home, line.split(' '), { environment, startDetached, ...options })
}

/** The same without a passphrase and without a terminal. */
const locked = (line: string): Promise<Outcome> => nunet(line, { passphrase: '' })

async function startDetached(args: readonly string[]): Promise<void> {
  started.push(args)
  const [, , userDir = ''] = args
  await new Promise<void>((resolve, reject) => {
    const places = { userDir, environment, uid: process.geteuid?.() }
    const uptime = (): ReturnType<typeof millis> => millis(performance.now())
    const agent = runAgent({ ...places, clock: systemClock, uptime, onReady: async () => resolve() })
    agent.catch(reject)
    agents.push(agent.catch(() => undefined)) // told to whoever started it
  })
}

describe('unlock refuses', () => {
  test.each([
    ['no name', 'unlock', {}, 2, 'name the key to unlock, or use --list'],
    ['a name and --list', 'unlock user --list', {}, 2, '--list takes no name'],
    ['no time', 'unlock user --for 0', {}, 2, '--for must be more than 0 and at most 24h'],
    ['more than a day', 'unlock user --for 24h1s', {}, 2, 'at most 24h, got 24h1s'],
    ['a key that is not there', 'unlock nobody', {}, 66, 'there is no key with name nobody'],
    ['a wrong passphrase', 'unlock user', { passphrase: 'wrong' }, 77, 'mac mismatch'],
    ['no passphrase', 'unlock user', { passphrase: '' }, 77, 'DMS_PASSPHRASE is not set'],
    ['Ctrl-C', 'unlock user', { passphrase: '', answers: [] }, 130, 'not answered']
  ])('%s, and starts nothing', async (_what, line, options, code, says) => {
    const outcome = await nunet(line, options)
    expect(outcome.stderr).toContain(says)
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(started).toEqual([])
  })

  test('to be told that an agent started which did not', async () => {
    const outcome = await nunet('unlock user', { startDetached: () => Promise.reject(new Error('no memory')) })
    expect(outcome).toMatchObject({ code: 69, stdout: '' })
    expect(outcome.stderr).toBe('Error: the unlock agent did not start: no memory\n')
  })

  test('to put its socket into a directory that is open to others', async () => {
    mkdirSync(join(home, `nunet-${process.geteuid?.() ?? 0}`), { mode: 0o755 })
    const outcome = await nunet('unlock user')
    expect(outcome).toMatchObject({ code: 69, stdout: '' })
    expect(outcome.stderr).toContain('is open to other users')
    expect((await nunet('key did user')).stdout).toBe(did)
  })
})

describe('lock', () => {
  test('says so when nothing is unlocked, and fails for a name that is not', async () => {
    expect(await locked('lock')).toEqual({ code: 0, stdout: '', stderr: 'no key is unlocked\n' })
    expect(await locked('lock user')).toEqual({ code: 66, stdout: '', stderr: 'Error: the key user is not unlocked\n' })
    expect(await locked('unlock --list')).toEqual({ code: 0, stdout: '', stderr: 'no key is unlocked\n' })
    expect((await locked('unlock --list --json')).stdout).toBe('[]\n')
  })

  test('ends it, for one key or for all, and then nothing is left in the runtime directory', async () => {
    await nunet('key new dms')
    await nunet('unlock user')
    await nunet('unlock dms')
    expect((await locked('lock user')).stderr).toBe('locked: user\n')
    expect((await locked('key did user')).code).toBe(77)
    expect((await locked('key did dms')).code).toBe(0)
    expect((await locked('lock')).stderr).toBe('locked: dms\n')
    await Promise.all(agents)
    expect(readdirSync(join(home, `nunet-${process.geteuid?.() ?? 0}`))).toEqual([])
  })
})

describe('an unlocked key', () => {
  test('is told with its DID and its time', async () => {
    const outcome = await nunet('unlock user --for 90m')
    expect(outcome).toEqual({
      code: 0,
      stdout: did,
      stderr: 'user is unlocked for 1h30m; lock it with: nunet lock user\n'
    })
    expect(started).toEqual([['agent', '--user-dir', join(home, '.nunet')]])
    expect((await locked('unlock --list')).stdout).toMatch(/^user {2}did:key:\S+ {2}1h(29m\d+s|30m)\n$/)
    const listed = JSON.parse((await locked('unlock --list --json')).stdout) as { remaining_seconds: number }[]
    expect(listed).toMatchObject([{ name: 'user', did: did.trim() }])
    expect(listed[0]?.remaining_seconds).toBeGreaterThan(5390)
    expect((await locked('key list --long')).stdout).toBe(`user  0600  ${did}`)
  })

  test('needs no passphrase for its DID, its context and its tokens', async () => {
    await nunet('unlock user')
    expect((await locked('key did user')).stdout).toBe(did)
    expect((await locked('cap new user')).stdout).toBe(did)
    const { stdout } = await locked(`cap grant ${SUBJECT} -c user --cap /public --duration 1h`)
    expect(stdout).toContain(did.trim())
    expect(await locked(`cap anchor -c user --require ${stdout.trim()}`)).toMatchObject({ code: 0 })
  })

  test('is one of several in one agent, and its time begins anew when it is unlocked again', async () => {
    await nunet('key new dms')
    await nunet('unlock user --for 1m')
    await nunet('unlock dms --for 1h')
    await nunet('unlock user --for 2h')
    expect(started).toHaveLength(1)
    const { stdout } = await locked('unlock --list')
    expect(stdout).toMatch(/^dms .* (59m\d+s|1h)\nuser .* (1h59m\d+s|2h)\n$/)
  })

  test('still asks for the passphrase where its file is opened', async () => {
    await nunet('unlock user')
    expect((await locked('unlock user')).code).toBe(77)
    expect((await locked('key delete user --yes')).code).toBe(77)
    expect((await locked('key export user --plain --yes')).code).toBe(77)
    expect((await nunet('key passphrase user', { passphrase: '', newPassphrase: 'new' })).code).toBe(77)
  })

  test.each([
    ['its passphrase is changed', 'key passphrase user', { newPassphrase: 'new' }],
    ['it is replaced', 'key new user --force', {}],
    ['it is deleted', 'key delete user --yes', {}]
  ])('is locked when %s', async (_what, line, options) => {
    await nunet('unlock user')
    expect((await nunet(line, options)).code).toBe(0)
    expect((await locked('key did user')).code).not.toBe(0)
    expect((await locked('unlock --list')).stdout).toBe('')
  })

  test('is not used when its file was changed by something else, even if only in white space', async () => {
    await nunet('unlock user')
    const path = join(home, '.nunet', 'key', 'user.json')
    writeFileSync(path, `${readFileSync(path, 'utf8')}\n`)
    expect((await locked('key did user')).code).toBe(77)
  })

  test('of one user directory is none of another', async () => {
    await nunet('unlock user')
    expect((await locked('--user-dir elsewhere key did user')).code).toBe(66)
    expect((await locked('--user-dir elsewhere unlock --list')).stdout).toBe('')
  })

  test('is unlocked by two commands at once in one agent', async () => {
    await nunet('key new dms')
    const outcomes = await Promise.all([nunet('unlock user'), nunet('unlock dms')])
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0])
    const { stdout } = await locked('unlock --list')
    expect(stdout.trim().split('\n')).toHaveLength(2)
  })
})
