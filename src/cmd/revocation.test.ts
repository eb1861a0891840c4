import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSecret, type JsonValue } from '../base/index.ts'
import { createKeystore, generateKeyPair, type KeyPair } from '../identity/index.ts'
import { call, type FakeNode, type Outcome, startFakeNode } from './fixtures.ts'

let home = ''
let own: KeyPair
let node: FakeNode
let reply: JsonValue | undefined

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-revocation-'))
  own = generateKeyPair()
  const keystore = createKeystore({ directory: join(home, '.nunet', 'key'), kdf: { n: 2, r: 1, p: 1 } })
  await keystore.save('dms', own, createSecret('secret'))
  node = await startFakeNode(() => reply, own)
  reply = { OK: true, Error: '', Notices: [] }
  await nunet('cap', 'new', 'dms')
  await nunet('cap', 'new', 'user')
})
afterEach(async () => {
  await node.close()
  await rm(home, { recursive: true })
})

const nunet = (...argv: string[]): Promise<Outcome> => call(home, ['--rest-port', String(node.port), ...argv])
const didOf = async (name: string) => (await nunet('key', 'did', name)).stdout.trim()
const behaviors = () => node.seen.map(({ envelope }) => envelope.behavior)

async function granted(by: string, to: string, ...more: string[]): Promise<string> {
  return (await nunet('cap', 'grant', '-c', by, '--cap', '/a', '--duration', '1h', ...more, to)).stdout.trim()
}

describe('a command that changes a context', () => {
  test('says nothing about a DMS that has another DID, and asks it nothing', async () => {
    const outcome = await nunet('cap', 'anchor', '-c', 'user', '--root', own.did)
    expect(outcome).toMatchObject({ code: 0, stdout: '' })
    expect(outcome.stderr).not.toContain('DMS')
    expect(node.seen).toEqual([])
  })

  test('says nothing when no DMS runs', async () => {
    const outcome = await call(home, ['--rest-port', '1', 'cap', 'anchor', '-c', 'dms', '--root', own.did])
    expect(outcome).toMatchObject({ code: 0, stdout: '' })
    expect(outcome.stderr).not.toContain('DMS')
  })

  test.each([
    ['does not know the behaviour', { code: 'ACTOR_UNKNOWN_BEHAVIOR', kind: 'not-found', message: 'there is no behaviour here' }],
    ['does not answer', undefined]
  ])('says what to do when the DMS %s, and is a success all the same', async (_why, answer) => {
    reply = answer
    const outcome = await nunet('cap', 'anchor', '-c', 'dms', '--root', own.did)
    expect(outcome).toMatchObject({ code: 0, stdout: '' })
    expect(outcome.stderr).toMatch(/the DMS at 127\.0\.0\.1:\d+ did not confirm.*restart it.*kill -USR1/)
  })

  test('has the DMS use it: anchor, remove and new', async () => {
    const uses = `The running DMS at 127.0.0.1:${node.port} uses it now`
    expect((await nunet('cap', 'anchor', '-c', 'dms', '--root', own.did)).stderr).toContain(uses)
    expect((await nunet('cap', 'anchor', '-c', 'dms', '--root', own.did)).stderr).not.toContain(uses)
    expect((await nunet('cap', 'remove', '-c', 'dms', '--root', own.did)).stderr).toContain(uses)
    const renewed = await nunet('cap', 'new', '--force', 'dms')
    expect(renewed).toMatchObject({ code: 0, stdout: `${own.did}\n` })
    expect(renewed.stderr).toContain(uses)
    expect(behaviors()).toEqual(['/dms/cap/reload', '/dms/cap/reload', '/dms/cap/reload'])
  })
})

describe('cap revoke', () => {
  test('needs either a token or --all-to', async () => {
    expect(await nunet('cap', 'revoke', '-c', 'user')).toMatchObject({ code: 2, stdout: '' })
    const both = await nunet('cap', 'revoke', '-c', 'user', '--all-to', own.did, await granted('user', own.did))
    expect(both).toMatchObject({ code: 2, stdout: '' })
    expect(both.stderr).toContain('either a token or --all-to')
  })

  test('of somebody to whom nothing was given says so', async () => {
    const outcome = await nunet('cap', 'revoke', '-c', 'user', '--all-to', own.did)
    expect(outcome).toMatchObject({ code: 66, stdout: '' })
    expect(outcome.stderr).toContain(`no record of an unexpired token for ${own.did}`)
  })

  test('only prints, unless --anchor is given', async () => {
    const token = await granted('user', own.did)
    const printed = await nunet('cap', 'revoke', '-c', 'user', token)
    expect(printed.stdout).toMatch(/^\{"dms":\{"act":"revoke".*\}\}\n$/)
    expect(printed.stderr).toContain('Nothing has changed yet')
    expect((await nunet('cap', 'list', '-c', 'user')).stdout).toMatch(/revoke:\n$/)
    const anchored = await nunet('cap', 'revoke', '-c', 'user', '--anchor', token)
    expect(anchored.stdout).toBe(printed.stdout)
    expect((await nunet('cap', 'list', '-c', 'user')).stdout).toContain(`revoke:\n\t${printed.stdout}`)
  })

  test('--all-to takes everything that was given to one, and nothing of others', async () => {
    const other = await didOf('user')
    await granted('user', own.did)
    await granted('user', own.did, '--topic', '/t')
    await granted('user', other)
    const { stdout } = await nunet('cap', 'revoke', '-c', 'user', '--all-to', own.did)
    expect(stdout.trim().split('\n')).toHaveLength(2)
    expect(stdout).not.toContain(`"sub":{"uri":"${other}"}`)
  })
})

describe('cap issued', () => {
  test('lists who got what until when, without asking for the passphrase', async () => {
    await granted('user', own.did, '--topic', '/nunet')
    const line = ['cap', 'issued', '-c', 'user']
    const { code, stdout } = await call(home, line, { passphrase: '' })
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^\\S+Z\\t\\S+Z\\t${own.did}\\t/a\\ton /nunet\\n$`))
    expect(await call(home, ['cap', 'issued', '-c', 'nobody'])).toMatchObject({ code: 66, stdout: '' })
  })

  test('prints JSON for programs, and a table on a terminal', async () => {
    expect((await call(home, ['cap', 'issued', '-c', 'user', '--json'])).stdout).toBe('[]\n')
    await granted('user', own.did, '--topic', '/nunet')
    const { stdout } = await call(home, ['cap', 'issued', '-c', 'user', '--json'])
    expect(JSON.parse(stdout)).toEqual([
      {
        issued: expect.stringMatching(/Z$/) as string,
        expires: expect.stringMatching(/Z$/) as string,
        subject: own.did,
        capabilities: ['/a'],
        topics: ['/nunet']
      }
    ])
    const screen = { columns: 200, hasColors: false, canRedraw: true }
    const table = (await call(home, ['cap', 'issued', '-c', 'user'], { screen })).stdout
    expect(table).toMatch(/^AGE +LEFT +TO +WHAT +WHERE\n +0s +.+\n$/)
    expect(table).toContain(`  ${own.did}  /a    on /nunet\n`)
  })

  test('is only a comfort: when it cannot be written, the grant is printed with a warning', async () => {
    await mkdir(join(home, '.nunet/cap/user.issued.jsonl'))
    const outcome = await nunet('cap', 'grant', '-c', 'user', '--cap', '/a', '--duration', '1h', own.did)
    expect(outcome.code).toBe(0)
    expect(outcome.stdout).toContain('"act":"delegate"')
    expect(outcome.stderr).toContain('Warning: the token is not in the list of cap issued')
  })
})

describe('cap broadcast', () => {
  beforeEach(() => {
    reply = { OK: true, Error: '', TokensCount: 1 }
  })

  test('refuses what is no revocation, before anything is sent', async () => {
    const outcome = await nunet('cap', 'broadcast', '-c', 'user', '--token', await granted('user', own.did))
    expect(outcome).toMatchObject({ code: 2, stdout: '' })
    expect(outcome.stderr).toContain('the token is no revocation but one for delegate')
    expect(node.seen).toEqual([])
  })

  test('says that a context has nothing to send', async () => {
    const outcome = await nunet('cap', 'broadcast', '-c', 'user')
    expect(outcome).toMatchObject({ code: 66, stdout: '' })
    expect(outcome.stderr).toContain('nunet cap revoke --anchor')
    expect(node.seen).toEqual([])
  })

  test('says that nobody listens, and what the node refuses', async () => {
    expect(await call(home, ['--rest-port', '1', 'cap', 'broadcast', '-c', 'dms'])).toMatchObject({ code: 69, stdout: '' })
    reply = { OK: false, Error: 'no', TokensCount: 0 }
    expect(await nunet('cap', 'broadcast', '-c', 'dms')).toMatchObject({ code: 65, stdout: '', stderr: 'Error: no\n' })
  })

  test('warns that nobody will listen, once, and beside the count', async () => {
    reply = { OK: true, Error: '', TokensCount: 1, Notices: ['nobody listens\nto it', 5] }
    const outcome = await nunet('cap', 'broadcast', '-c', 'dms')
    expect(outcome).toEqual({ code: 0, stdout: '1\n', stderr: 'Warning: nobody listens to it\n' })
  })

  test('asks the node for all that it has, with the context of the node', async () => {
    expect(await nunet('cap', 'broadcast', '-c', 'dms')).toEqual({ code: 0, stdout: '1\n', stderr: '' })
    expect(node.seen.at(-1)).toMatchObject({
      envelope: { behavior: '/dms/cap/revoke/broadcast', topic: '' },
      payload: { Context: '' }
    })
  })

  test('sends along what another context has anchored, or the lines from stdin', async () => {
    const tokens = [await granted('user', own.did), await granted('user', own.did)]
    const lines = await Promise.all(tokens.map(async (token) => (await nunet('cap', 'revoke', '-c', 'user', token)).stdout))
    const argv = ['--rest-port', String(node.port), 'cap', 'broadcast', '-c', 'user', '--token', '-']
    expect(await call(home, argv, { input: lines.join('') })).toMatchObject({ code: 0, stdout: '1\n' })
    expect(JSON.stringify(node.seen.at(-1)?.payload, (_, value: unknown) => (typeof value === 'bigint' ? 0 : value))).toMatch(
      /^\{"Token":\{"tok":\[\{"dms":\{"act":"revoke".*"act":"revoke"/
    )
    await nunet('cap', 'revoke', '-c', 'user', '--anchor', tokens[0] ?? '')
    expect(await nunet('cap', 'broadcast', '-c', 'user')).toMatchObject({ code: 0, stdout: '1\n' })
    expect(node.seen.at(-1)?.payload).toMatchObject({ Token: { tok: [{ dms: { act: 'revoke' } }] } })
    expect(await readFile(join(home, '.nunet/cap/user.issued.jsonl'), 'utf8')).toContain(own.did)
  })
})
