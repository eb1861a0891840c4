import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, hours, type Millis, millis } from '../base/index.ts'
import { createContextStore } from './context-store.ts'
import { actorOf, contextOf, grantOf, inSeconds, keyOf, NOW, successOf } from './fixtures.ts'
import { encodeToken, encodeTokenList } from './token.ts'
import type { ContextStore, Token } from './types.ts'

const user = keyOf(1)
const organization = contextOf(20)

let directory: string
let now: Millis
let store: ContextStore

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ucan-'))
  now = NOW
  const clock: Clock = { now: () => now, sleep: () => Promise.resolve() }
  store = createContextStore({ directory: join(directory, 'cap'), clock })
})

afterEach(() => rm(directory, { recursive: true }))

const path = (): string => join(directory, 'cap', 'user.cap')
const readBack = (): Promise<string> => readFile(path(), 'utf8')
const readUnsigned = async (): Promise<string> => (await readBack()).replace(/,"sig":"[^"]+"\}\n$/, '}\n')

/** The text of a file of the user; lists are given as JSON. */
function fileWith(members: {
  readonly roots?: string
  readonly require?: string
  readonly provide?: string
  readonly revoke?: string
}): string {
  const { roots = '[]', require = '{}', provide = '{}', revoke = '{}' } = members
  return `{"did":{"uri":"${user.did}"},"roots":${roots},"require":${require},"provide":${provide},"revoke":${revoke}}\n`
}

async function given(text: string): Promise<void> {
  await store.create('user', user)
  await writeFile(path(), text)
}

function provided(members: Parameters<typeof grantOf>[1] | object = {}): Promise<Token> {
  return grantOf(organization, { subject: user.did, ...members })
}

describe('names', () => {
  test.each(['', '.', '..', '../user', 'a/b', '.user', '-c', 'a b', 'ledger:user', 'ü', 'a'.repeat(65)])(
    '%j names no context',
    async (name) => {
      await expect(store.open(name, user)).rejects.toMatchObject({ code: 'UCAN_BAD_CONTEXT_NAME', kind: 'invalid' })
      await expect(store.create(name, user)).rejects.toMatchObject({ code: 'UCAN_BAD_CONTEXT_NAME' })
      await expect(store.exists(name)).rejects.toMatchObject({ code: 'UCAN_BAD_CONTEXT_NAME' })
    }
  )
})

describe('create', () => {
  test('refuses to replace a context', async () => {
    await given(fileWith({ roots: `[{"uri":"${organization.did}"}]` }))
    const before = await readBack()
    await expect(store.create('user', user)).rejects.toMatchObject({ code: 'UCAN_CONTEXT_EXISTS', kind: 'conflict' })
    expect(await readBack()).toBe(before)
  })

  test('writes an empty context that only its owner can read', async () => {
    expect(await store.exists('user')).toBe(false)
    const file = await store.create('user', user)
    expect(file.path).toBe(path())
    expect(await readUnsigned()).toBe(fileWith({}))
    expect((await stat(path())).mode & 0o777).toBe(0o600)
    expect(await store.exists('user')).toBe(true)
  })

  test('replaces a context when told to, and keeps a copy', async () => {
    const old = fileWith({ roots: `[{"uri":"${organization.did}"}]` })
    await given(old)
    await store.create('user', keyOf(2), { overwrite: true })
    const names = (await readdir(join(directory, 'cap'))).filter((name) => name !== 'user.cap')
    expect(names).toEqual([`user.cap.${NOW / 1000}`])
    expect(await readFile(join(directory, 'cap', names[0] ?? ''), 'utf8')).toBe(old)
    expect((await store.open('user', keyOf(2))).context.list(now).roots).toEqual([])
  })
})

describe('open', () => {
  test('refuses a missing context', async () => {
    await expect(store.open('user', user)).rejects.toMatchObject({ code: 'UCAN_CONTEXT_NOT_FOUND', kind: 'not-found' })
  })

  test('refuses the context of another key', async () => {
    await store.create('user', user)
    await expect(store.open('user', keyOf(2))).rejects.toMatchObject({ code: 'UCAN_WRONG_KEY' })
  })

  test.each([
    '',
    'x',
    '[]',
    '{}',
    '{"did":null}',
    '{"did":{"uri":5}}',
    fileWith({ roots: '{}' }),
    fileWith({ require: '[]' }),
    fileWith({ revoke: '{"tok":5}' })
  ])('refuses %j', async (text) => {
    await given(text)
    await expect(store.open('user', user)).rejects.toMatchObject({ code: 'UCAN_BAD_CONTEXT_FILE', kind: 'invalid' })
  })

  test('takes null and missing members for empty lists', async () => {
    await given(`{"did":{"uri":"${user.did}"},"roots":null,"require":null}`)
    const { context, notices } = await store.open('user', user)
    expect(context.list(now)).toEqual({ roots: [], require: [], provide: [], revoke: [] })
    expect(notices).toHaveLength(1)
  })

  test('tells what it sets aside and uses the rest', async () => {
    const good = await provided()
    const forged = { ...(await provided()), capabilities: ['/'] }
    const expired = await provided({ expiresAt: inSeconds(-1) })
    await given(
      fileWith({
        roots: `[{"uri":"nobody"},{"uri":"${organization.did}"}]`,
        require: '{"tok":[null]}',
        provide: encodeTokenList([forged, good, expired])
      }).replace('}\n', ',"extra":1}\n')
    )
    const { context, notices } = await store.open('user', user)
    expect(context.list(now)).toEqual({ roots: [organization.did], require: [], provide: [good], revoke: [] })
    expect(notices.map(({ message }) => message)).toEqual([
      expect.stringContaining('it carries no signature of its key, as files of the Go program'),
      expect.stringContaining('roots entry 1 is not used: invalid DID'),
      expect.stringContaining('require entry 1 is not used: bad token'),
      expect.stringContaining('provide entry 1 is not used: verify token: verify: signature'),
      expect.stringContaining('provide entry 3 is not used: verify token: capability expired'),
      expect.stringContaining('unknown member "extra"')
    ])
  })
})

describe('update', () => {
  test('writes nothing when the change changes nothing, or throws', async () => {
    await given(`{ "did": {"uri":"${user.did}"} }`)
    const before = await readBack()
    const file = await store.open('user', user)
    expect(await file.update((context) => context.remove({ kind: 'root', did: organization.did }))).toBe(false)
    const failing = file.update((context) => {
      context.anchor({ kind: 'root', did: organization.did }, now)
      throw new Error('changed my mind')
    })
    await expect(failing).rejects.toThrow('changed my mind')
    expect(await readBack()).toBe(before)
    expect(file.context.list(now).roots).toEqual([])
  })

  test('saves a change and shows it in the open context', async () => {
    const file = await store.create('user', user)
    const token = await provided()
    expect(await file.update((context) => successOf(context.anchor({ kind: 'provide', token }, now)))).toBe('added')
    expect(await readUnsigned()).toBe(fileWith({ provide: encodeTokenList([token]) }))
    expect(file.context.list(now).provide).toEqual([token])
    expect((await readdir(join(directory, 'cap'))).toSorted()).toEqual(['user.cap'])
  })

  test('keeps what another process saved meanwhile', async () => {
    const mine = await store.create('user', user)
    const theirs = await store.open('user', user)
    await theirs.update((context) => context.anchor({ kind: 'root', did: organization.did }, now))
    await mine.update((context) => context.anchor({ kind: 'root', did: keyOf(2).did }, now))
    expect(mine.context.list(now).roots).toEqual([organization.did, keyOf(2).did])
    expect(theirs.context.list(now).roots).toEqual([organization.did])
    await theirs.update(() => undefined)
    expect(theirs.context.list(now).roots).toEqual([organization.did, keyOf(2).did])
  })

  test('never writes temporary grants and what was anchored in memory only, and does not forget them', async () => {
    const file = await store.create('user', user)
    successOf(file.context.anchor({ kind: 'root', did: organization.did }, now))
    await file.context.grantHere({ subject: keyOf(30).did, capabilities: ['/test'], expiresAt: inSeconds(60) })
    await file.update((context) => context.anchor({ kind: 'root', did: keyOf(2).did }, now))
    expect(await readUnsigned()).toBe(fileWith({ roots: `[{"uri":"${keyOf(2).did}"}]` }))
    expect(file.context.list(now).roots).toEqual([keyOf(2).did, organization.did])
    const message = { subject: actorOf(51).id, audience: actorOf(52).id, expiresAt: inSeconds(30), invoke: ['/test'], now }
    const tokens = await contextOf(30).present({ target: user.did, ...message })
    const claim = { subject: actorOf(51).did, audience: actorOf(52).did, capabilities: ['/test'], tokens }
    expect(file.context.authorize(claim, now).ok).toBe(true)
  })

  test('a revocation in memory holds against tokens of the file', async () => {
    const token = await provided()
    await given(fileWith({ require: encodeTokenList([token]) }))
    const file = await store.open('user', user)
    successOf(file.context.anchor({ kind: 'revoke', token: await organization.revoke(token) }, now))
    await file.update((context) => context.anchor({ kind: 'root', did: keyOf(2).did }, now))
    expect(file.context.list(now).require).toEqual([])
  })

  test('keeps broken and lately expired tokens, and drops those that are expired for certain', async () => {
    const forged = { ...(await provided()), capabilities: ['/'] }
    const brief = await provided({ expiresAt: inSeconds(10) })
    await given(fileWith({ require: '{"tok":[null]}', provide: encodeTokenList([forged, brief]) }))
    const file = await store.open('user', user)
    now = millis(NOW + hours(24 * 29))
    await file.update((context) => context.anchor({ kind: 'root', did: organization.did }, now))
    expect(await readBack()).toContain(encodeToken(brief))
    expect(file.notices).toHaveLength(3)
    now = millis(NOW + hours(24 * 31))
    await file.update((context) => context.remove({ kind: 'root', did: organization.did }))
    expect(await readUnsigned()).toBe(fileWith({ require: '{"tok":[null]}' }))
  })

  test('removes also what was set aside', async () => {
    const expired = await provided({ expiresAt: inSeconds(-1) })
    await given(fileWith({ roots: '[{"uri":"x"}]', provide: encodeTokenList([expired]) }))
    const file = await store.open('user', user)
    expect(await file.update((context) => context.remove({ kind: 'provide', token: expired }))).toBe(true)
    expect(await readUnsigned()).toBe(fileWith({ roots: '[{"uri":"x"}]' }))
  })

  test('refuses when the file is gone', async () => {
    const file = await store.create('user', user)
    await rm(path())
    await expect(file.update(() => undefined)).rejects.toMatchObject({ code: 'UCAN_CONTEXT_NOT_FOUND' })
  })
})
