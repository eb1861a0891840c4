import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UnsafeRuntimeDirectoryError } from './errors.ts'
import { type AgentPlaces, findAgentSocket, prepareAgentSocket } from './place.ts'

const UID = process.geteuid?.() ?? 0
const USER_DIR = '/home/user/.nunet'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'agent-place-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function places(change: Partial<AgentPlaces> = {}): AgentPlaces {
  return { userDir: USER_DIR, environment: { TMPDIR: root }, uid: UID, ...change }
}

function expectUnsafe(reason: string, given = places()): void {
  expect(findAgentSocket(given)).toBeUndefined()
  expect(() => prepareAgentSocket(given)).toThrow(UnsafeRuntimeDirectoryError)
  expect(() => prepareAgentSocket(given)).toThrow(reason)
}

describe('the directory of the socket is not used', () => {
  test('before it exists', () => {
    expect(findAgentSocket(places())).toBeUndefined()
  })

  test.each([0o755, 0o750, 0o701, 0o770])('when it is open to others: %o', (mode) => {
    mkdirSync(join(root, `nunet-${UID}`))
    chmodSync(join(root, `nunet-${UID}`), mode)
    expectUnsafe('is open to other users')
  })

  test('when it belongs to another user', () => {
    const given = places({ uid: UID + 1 })
    mkdirSync(join(root, `nunet-${UID + 1}`), { mode: 0o700 })
    expectUnsafe(`belongs to user ${UID}`, given)
  })

  test('when it is a link, even to a private directory', () => {
    mkdirSync(join(root, 'private'), { mode: 0o700 })
    symlinkSync(join(root, 'private'), join(root, `nunet-${UID}`))
    expectUnsafe('is no directory')
  })

  test('when it is a file', () => {
    writeFileSync(join(root, `nunet-${UID}`), '')
    expectUnsafe('is no directory')
  })

  test('when others can put another one in its place', () => {
    mkdirSync(join(root, `nunet-${UID}`), { mode: 0o700 })
    chmodSync(root, 0o777)
    expectUnsafe('can be replaced by other users')
    chmodSync(root, 0o1777)
    expect(findAgentSocket(places())).toBeDefined()
  })

  test('when its path is too long for a socket', () => {
    const long = join(root, 'x'.repeat(100))
    mkdirSync(join(long, `nunet-${UID}`), { recursive: true, mode: 0o700 })
    expectUnsafe('is longer than the 107 bytes of a socket', places({ environment: { TMPDIR: long } }))
  })

  test('when it cannot be made', () => {
    const given = places({ environment: { TMPDIR: join(root, 'missing') } })
    expect(() => prepareAgentSocket(given)).toThrow('cannot make the directory')
  })

  test('where there are no user ids', () => {
    expectUnsafe('a system with user ids', places({ uid: undefined }))
  })
})

describe('the socket', () => {
  test('lies in the runtime directory of the user, in a directory that only the user can enter', () => {
    const runtime = join(root, 'run')
    mkdirSync(runtime, { mode: 0o700 })
    const given = places({ environment: { XDG_RUNTIME_DIR: runtime, TMPDIR: root } })
    const path = prepareAgentSocket(given)
    expect(path).toMatch(new RegExp(`^${runtime}/nunet/agent-[0-9a-f]{16}\\.sock$`))
    expect(statSync(join(runtime, 'nunet')).mode & 0o777).toBe(0o700)
    expect(findAgentSocket(given)).toBe(path)
  })

  test.each([
    ['is relative', 'run'],
    ['is missing', '/nowhere/at/all'],
    ['is empty', '']
  ])('lies in the temporary directory when XDG_RUNTIME_DIR %s', (_what, runtime) => {
    const path = prepareAgentSocket(places({ environment: { XDG_RUNTIME_DIR: runtime, TMPDIR: root } }))
    expect(path.startsWith(join(root, `nunet-${UID}`))).toBe(true)
  })

  test('lies in the temporary directory when XDG_RUNTIME_DIR is of another user, as under sudo', () => {
    const runtime = join(root, 'run')
    mkdirSync(runtime, { mode: 0o700 })
    const given = places({ environment: { XDG_RUNTIME_DIR: runtime, TMPDIR: root }, uid: UID + 1 })
    mkdirSync(join(root, `nunet-${UID + 1}`), { mode: 0o700 })
    expect(() => prepareAgentSocket(given)).toThrow(join(root, `nunet-${UID + 1}`))
  })

  test('is another one for another user directory', () => {
    expect(prepareAgentSocket(places())).not.toBe(prepareAgentSocket(places({ userDir: '/home/user/other' })))
  })
})
