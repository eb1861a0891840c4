import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { call } from './fixtures.ts'

/** When the examples of the reference's guide were written: their expiries have passed since. */
const THEN = '2024-10-01T00:00:00Z'

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-quick-start-'))
})
afterEach(() => rm(home, { recursive: true }))

/** What `$(nunet …)` gives a script. */
async function capture(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await call(home, argv, { now: THEN })
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stdout.split('\n')).toHaveLength(2)
  return stdout.trim()
}

async function run(...argv: string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const { code, ...output } = await call(home, argv, { now: THEN })
  expect({ code, ...output }).toMatchObject({ code: 0 })
  return output
}

const terms = ['--cap', '/public', '--cap', '/broadcast', '--topic', '/nunet', '--expiry', '2024-12-31']

describe('the quick start works as it is printed', () => {
  test('from the first key to the last anchor', async () => {
    const user = await capture('key', 'new', 'user')
    const dms = await capture('key', 'new', 'dms')
    expect(user).toMatch(/^did:key:z6Mk/)
    await run('cap', 'new', 'user')
    await run('cap', 'new', 'dms')
    expect(await capture('key', 'did', 'user')).toBe(user)
    expect((await run('cap', 'anchor', '--context', 'dms', '--root', user)).stdout).toBe('')

    const nunet = await capture('cap', 'new', 'nunet')
    const grant = await capture('cap', 'grant', '--context', 'user', ...terms, nunet)
    expect((await run('cap', 'anchor', '--context', 'dms', '--require', grant)).stdout).toBe('')

    const fromNunet = await capture('cap', 'grant', '--context', 'nunet', ...terms, user)
    await run('cap', 'anchor', '--context', 'user', '--provide', fromNunet)
    const delegation = await capture('cap', 'delegate', '--context', 'user', ...terms, dms)
    const printed = await run('cap', 'anchor', '--context', 'dms', '--require', delegation)
    expect(printed.stderr).toContain('anchor it with --provide instead of --require')
    const meant = await run('cap', 'anchor', '--context', 'dms', '--provide', delegation)
    expect(meant.stderr).not.toContain('Warning')

    const listed = (await run('cap', 'list', '--context', 'dms')).stdout.split('\n')
    expect(listed.slice(0, 3)).toEqual(['roots:', `\t${user}`, 'require:'])
    expect(listed.filter((line) => line.startsWith('\t{"dms":{'))).toHaveLength(3)
    expect(listed.filter((line) => !line.startsWith('\t'))).toEqual(['roots:', 'require:', 'provide:', 'revoke:', ''])
  })

  test('and keeps keys and contexts from others', async () => {
    await run('key', 'new', 'user')
    await run('cap', 'new', 'user')
    for (const file of ['key/user.json', 'cap/user.cap']) {
      expect((await stat(join(home, '.nunet', file))).mode & 0o777, file).toBe(0o600)
    }
  })
})

describe('what the appliance does with tokens', () => {
  const now = { now: '2026-01-01T00:00:00Z' }

  test('grants for 30 days, anchors, finds the token in the file and removes it as Python writes it', async () => {
    const user = (await call(home, ['key', 'new', 'dms'], now)).stdout.trim()
    expect((await call(home, ['cap', 'new', 'dms'], now)).stdout).toBe(`${user}\n`)
    const org = (await call(home, ['cap', 'new', 'org'], now)).stdout.trim()
    const caps = ['--cap', '/dms/deployment', '--cap', '/broadcast/hello', '--topic', '/nunet']
    const granted = await call(home, ['cap', 'grant', '--context', 'dms', ...caps, '--expiry', '2026-01-31T00:00:00Z', org], now)
    expect(granted.stderr).toBe('')
    const anchored = await call(home, ['cap', 'anchor', '-c', 'dms', '--require', granted.stdout.trim()], now)
    expect(anchored).toMatchObject({ code: 0, stdout: '' })

    const text = await readFile(join(home, '.nunet/cap/dms.cap'), 'utf8')
    const [token = ''] = /\{"dms":\{.*?\}\}(?=\])/.exec(text) ?? []
    const remove = ['-c', 'dms', 'cap', 'remove', '--require', token]
    expect(await call(home, remove, now)).toMatchObject({ code: 0, stdout: '' })
    const again = await call(home, remove, now)
    expect(again).toMatchObject({ code: 66, stdout: '' })
    expect(again.stderr).toContain('no such anchor')
  })

  test('a token that is anchored twice changes nothing the second time', async () => {
    await call(home, ['cap', 'new', 'dms'], now)
    const org = (await call(home, ['cap', 'new', 'org'], now)).stdout.trim()
    expect((await call(home, ['cap', 'anchor', '-c', 'dms', '--root', org], now)).stderr).toContain('Anchored')
    expect((await call(home, ['cap', 'anchor', '-c', 'dms', '--root', org], now)).stderr).toContain('Already there')
  })

  test('a token from stdin is anchored like one from the line', async () => {
    const own = (await call(home, ['cap', 'new', 'dms'], now)).stdout.trim()
    await call(home, ['cap', 'new', 'org'], now)
    const grant = await call(home, ['cap', 'grant', '-c', 'org', '--cap', '/public', '--duration', '24h', own], now)
    const anchored = await call(home, ['cap', 'anchor', '-c', 'dms', '--provide', '-'], { ...now, input: grant.stdout })
    expect(anchored).toMatchObject({ code: 0, stdout: '' })
  })
})

describe('cap', () => {
  const now = { now: '2026-01-01T00:00:00Z' }

  test('refuses to delegate what no provide anchor allows', async () => {
    const own = (await call(home, ['cap', 'new', 'user'], now)).stdout.trim()
    const outcome = await call(home, ['cap', 'delegate', '-c', 'user', '--cap', '/public', '--duration', '1h', own], now)
    expect(outcome).toMatchObject({ code: 77, stdout: '' })
    expect(outcome.stderr).toContain('failed to delegate capabilities: not authorized')
  })

  test('refuses to anchor what has expired, and leaves the file as it is', async () => {
    const own = (await call(home, ['cap', 'new', 'user'], now)).stdout.trim()
    const grant = await call(home, ['cap', 'grant', '-c', 'user', '--cap', '/a', '--duration', '1h', own], now)
    const before = await readFile(join(home, '.nunet/cap/user.cap'), 'utf8')
    const late = { now: '2026-01-02T00:00:00Z' }
    const outcome = await call(home, ['cap', 'anchor', '-c', 'user', '--provide', grant.stdout.trim()], late)
    expect(outcome).toMatchObject({ code: 2, stdout: '' })
    expect(await readFile(join(home, '.nunet/cap/user.cap'), 'utf8')).toBe(before)
  })

  test('revokes a grant: the revocation takes the anchor away', async () => {
    const own = (await call(home, ['cap', 'new', 'user'], now)).stdout.trim()
    const grant = (await call(home, ['cap', 'grant', '-c', 'user', '--cap', '/a', '--duration', '1h', own], now)).stdout.trim()
    await call(home, ['cap', 'anchor', '-c', 'user', '--require', grant], now)
    const revocation = (await call(home, ['cap', 'revoke', '-c', 'user', grant], now)).stdout.trim()
    expect(await call(home, ['cap', 'anchor', '-c', 'user', '--revoke', revocation], now)).toMatchObject({ code: 0 })
    const { stdout } = await call(home, ['cap', 'list'], now)
    expect(stdout).toBe(`roots:\nrequire:\nprovide:\nrevoke:\n\t${revocation}\n`)
  })

  test('with --self-sign only delegates by itself', async () => {
    const own = (await call(home, ['cap', 'new', 'user'], now)).stdout.trim()
    const line = ['cap', 'delegate', '-c', 'user', '--cap', '/a', '--duration', '1h', '--self-sign', 'only', own]
    expect((await call(home, line, now)).stdout).toMatch(/^\{"tok":\[\{"dms":\{"act":"delegate",.*\}\]\}\n$/)
  })
})
