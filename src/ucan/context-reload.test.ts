import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CancelledError, type Clock, type Logger, type Millis } from '../base/index.ts'
import { createContextStore } from './context-store.ts'
import { createContextWatch } from './context-watch.ts'
import { actorOf, contextOf, grantOf, inSeconds, keyOf, NOW, successOf } from './fixtures.ts'
import type { ContextFile, ContextStore, Token } from './types.ts'

const user = keyOf(1)
const organization = contextOf(20)
const owner = contextOf(21)

let directory: string
let store: ContextStore
let file: ContextFile
const clock: Clock = { now: () => NOW, sleep: () => Promise.resolve() }

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ucan-reload-'))
  store = createContextStore({ directory, clock })
  file = await store.create('user', user)
})

afterEach(() => rm(directory, { recursive: true }))

const path = (): string => join(directory, 'user.cap')

/** What another process does to the file. */
async function elsewhere(change: Parameters<ContextFile['update']>[0]): Promise<void> {
  await (await store.open('user', user)).update(change)
}

/** The file as the Go program writes it. */
function unsigned(text: string): string {
  return text.replace(/,"sig":"[^"]*"/, '')
}

/** Whether somebody who shows this grant by the user may call `/test` here. */
async function isAllowed(issuer: ReturnType<typeof contextOf>): Promise<boolean> {
  const caller = actorOf(30)
  const tokens = await issuer.present({
    target: user.did,
    subject: caller.id,
    audience: user.actorId,
    expiresAt: inSeconds(10),
    invoke: ['/test'],
    now: NOW
  })
  return file.context.authorize({ subject: caller.did, audience: user.did, capabilities: ['/test'], tokens }, NOW).ok
}

describe('reading a context file anew', () => {
  test.each([
    ['is gone', () => rm(path())],
    ['is no JSON', () => writeFile(path(), '{"did":')],
    [
      'belongs to another key',
      async () => {
        await store.create('other', keyOf(2))
        await copyFile(join(directory, 'other.cap'), path())
      }
    ]
  ])('leaves everything as it was when it %s', async (_flaw, spoil) => {
    await file.update((context) => context.anchor({ kind: 'root', did: owner.did }, NOW))
    await spoil()
    await expect(file.reload()).rejects.toMatchObject({ code: expect.stringMatching(/^UCAN_/) as unknown })
    expect(file.context.list(NOW).roots).toEqual([owner.did])
    expect(await isAllowed(owner)).toBe(true)
  })

  test('sets a bad token aside and uses the rest', async () => {
    await elsewhere((context) => context.anchor({ kind: 'root', did: owner.did }, NOW))
    await writeFile(path(), unsigned(await readFile(path(), 'utf8')).replace('"provide":{}', '"provide":{"tok":[null]}'))
    const { added, notices } = await file.reload()
    expect(added.roots).toBe(1)
    expect(notices).toHaveLength(2) // the token, and that the file is not signed
    expect(file.notices).toEqual(notices)
    expect(await isAllowed(owner)).toBe(true)
  })

  test('takes over what was added and removed, and counts it', async () => {
    await file.update((context) => context.anchor({ kind: 'root', did: owner.did }, NOW))
    await elsewhere((context) => {
      context.remove({ kind: 'root', did: owner.did })
      context.anchor({ kind: 'root', did: organization.did }, NOW)
    })
    const { added, removed } = await file.reload()
    expect([added.roots, removed.roots]).toEqual([1, 1])
    expect(await isAllowed(owner)).toBe(false)
    expect(await isAllowed(organization)).toBe(true)
    expect((await file.reload()).added.roots).toBe(0)
  })

  test('keeps grants in memory, also what was anchored in memory only', async () => {
    const end = await file.context.grantHere({ subject: organization.did, capabilities: ['/test'], expiresAt: inSeconds(60) })
    file.context.anchor({ kind: 'root', did: owner.did }, NOW)
    await file.reload()
    expect(await isAllowed(organization)).toBe(true)
    expect(await isAllowed(owner)).toBe(true)
    end()
    expect(await isAllowed(organization)).toBe(false)
  })

  test('applies a revocation at once, though the same chain was accepted a moment before', async () => {
    const grant = await grantOf(organization, { subject: owner.did })
    const member = contextOf(21, { provide: [grant] })
    await file.update((context) => context.anchor({ kind: 'root', did: organization.did }, NOW))
    expect(await isAllowed(member)).toBe(true)
    const revocation = await organization.revoke(grant)
    await elsewhere((context) => context.anchor({ kind: 'revoke', token: revocation }, NOW))
    expect((await file.reload()).added.revoke).toBe(1)
    expect(await isAllowed(member)).toBe(false)
  })
})

describe('a learned revocation', () => {
  let grant: Token
  let revocation: Token

  beforeEach(async () => {
    grant = await grantOf(organization, { subject: owner.did })
    revocation = await organization.revoke(grant)
    await file.update((context) => context.anchor({ kind: 'root', did: organization.did }, NOW))
  })

  test('is refused when it is forged, expired or none', async () => {
    const forged = { ...revocation, signature: grant.signature }
    expect(file.context.learn(forged, NOW)).toMatchObject({ ok: false, error: { reason: 'bad-signature' } })
    expect(file.context.learn(grant, NOW)).toMatchObject({ ok: false, error: { reason: 'wrong-action' } })
    const later = (NOW + 3_600_000) as Millis
    expect(file.context.learn(revocation, later)).toMatchObject({ ok: false, error: { reason: 'expired' } })
    expect(await isAllowed(contextOf(21, { provide: [grant] }))).toBe(true)
  })

  test('counts at once, takes provide anchors away, outlives a reload and is not in the file', async () => {
    const provided = await grantOf(organization, { subject: user.did })
    await file.update((context) => context.anchor({ kind: 'provide', token: provided }, NOW))
    expect(successOf(file.context.learn(revocation, NOW))).toBe('added')
    expect(successOf(file.context.learn(await organization.revoke(provided), NOW))).toBe('added')
    expect(await isAllowed(contextOf(21, { provide: [grant] }))).toBe(false)
    expect(file.context.list(NOW).provide).toEqual([])
    await file.reload()
    expect(await isAllowed(contextOf(21, { provide: [grant] }))).toBe(false)
    expect(file.context.list(NOW)).toMatchObject({ provide: [], revoke: [] })
    expect(await readFile(path(), 'utf8')).toContain('"revoke":{}')
  })

  test('is forgotten on its own: an anchored one for the same token stays', async () => {
    file.context.learn(revocation, NOW)
    await file.update((context) => context.anchor({ kind: 'revoke', token: revocation }, NOW))
    file.context.forget(revocation)
    expect(file.context.isRevoked(grant)).toBe(true)
  })
})

describe('the watch over a context file', () => {
  interface Line {
    readonly level: string
    readonly message: string
  }

  /** A watch whose polls the test lets happen one by one. */
  function watched() {
    const lines: Line[] = []
    let wake: (() => void) | undefined
    let asleep: (() => void) | undefined
    const log: Logger = {
      child: () => log,
      debug: () => undefined,
      info: (message) => void lines.push({ level: 'info', message }),
      warn: (message) => void lines.push({ level: 'warn', message }),
      error: (message) => void lines.push({ level: 'error', message })
    }
    const steps: Clock = {
      now: () => NOW,
      sleep: (_duration, { signal } = {}) =>
        new Promise((resolve, reject) => {
          wake = resolve
          signal?.addEventListener('abort', () => reject(new CancelledError('stopped')), { once: true })
          asleep?.()
        })
    }
    const watch = createContextWatch({ file, clock: steps, log })
    return {
      watch,
      lines,
      async poll() {
        const done = new Promise<void>((resolve) => {
          asleep = resolve
        })
        wake?.()
        await done
      }
    }
  }

  test('reports a broken file once, keeps the context, and takes the file when it is whole again', async () => {
    await file.update((context) => context.anchor({ kind: 'root', did: owner.did }, NOW))
    const { watch, lines, poll } = watched()
    await watch.start()
    const good = await readFile(path(), 'utf8')
    await writeFile(path(), good.slice(0, 20))
    for (let round = 0; round < 3; round += 1) await poll()
    expect(lines.map(({ level }) => level)).toEqual(['error'])
    expect(await isAllowed(owner)).toBe(true)
    await writeFile(path(), good)
    await poll()
    expect(lines.map(({ level }) => level)).toEqual(['error', 'info'])
    await watch.stop()
  })

  test('notices a copied file within one interval and says nothing while nothing changes', async () => {
    const { watch, lines, poll } = watched()
    await watch.start()
    await poll()
    expect(lines).toEqual([])
    await elsewhere((context) => context.anchor({ kind: 'root', did: owner.did }, NOW))
    await poll()
    await poll()
    expect(lines).toEqual([{ level: 'info', message: 'capability context read anew' }])
    expect(await isAllowed(owner)).toBe(true)
    await watch.stop()
  })

  test('tells who asks for a reload each time what came of it', async () => {
    const { watch, lines } = watched()
    await watch.reload('SIGHUP')
    await rm(path())
    for (let time = 0; time < 2; time += 1) {
      await expect(watch.reload('SIGHUP')).rejects.toMatchObject({ code: 'UCAN_CONTEXT_NOT_FOUND' })
    }
    expect(lines.map(({ level }) => level)).toEqual(['info', 'error', 'error'])
  })
})
