import { beforeEach, describe, expect, test } from 'vitest'
import { type Clock, hours, type Millis, millis, minutes, seconds, utf8 } from '../base/index.ts'
import { generateKeyPair, type KeyPair, verifySignature } from '../identity/index.ts'
import { digestOf } from './digest.ts'
import { createKeyRing, type KeyRing } from './key-ring.ts'
import type { KeyToUnlock } from './messages.ts'

const KEY = generateKeyPair()
const MESSAGE = utf8('a message')
const FILE = '/home/user/.nunet/key/user.json'

let time: { clock: number; uptime: number }
let files: Map<string, string>
let ring: KeyRing

beforeEach(() => {
  time = { clock: 1_800_000_000_000, uptime: 5000 }
  files = new Map([[FILE, 'the key file']])
  const clock: Clock = { now: () => millis(time.clock), sleep: () => Promise.resolve() }
  ring = createKeyRing({ clock, uptime: () => millis(time.uptime), readFile: async (path) => files.get(path) })
})

function request(name: string, lifetime: Millis, key: KeyPair = KEY): KeyToUnlock {
  return { name, path: FILE, digest: digestOf('the key file'), privateKey: key.exportPrivate(), lifetime }
}

describe('a key is not used', () => {
  test('that was never unlocked', async () => {
    expect(await ring.find('user')).toBeUndefined()
    expect(await ring.sign('user', KEY.did, MESSAGE)).toBeUndefined()
    expect(await ring.list()).toEqual([])
    expect(ring.nextExpiry).toBeUndefined()
  })

  test.each([
    ['by the clock that goes on while the machine sleeps', { clock: minutes(15), uptime: 0 }],
    ['by the clock that nobody can set', { clock: -hours(1), uptime: minutes(15) }]
  ])('when its time is over %s, and is wiped', async (_what, passed) => {
    const asked = request('user', minutes(15))
    ring.unlock(asked)
    time = { clock: time.clock + passed.clock, uptime: time.uptime + passed.uptime }
    expect(await ring.sign('user', KEY.did, MESSAGE)).toBeUndefined()
    expect(ring.size).toBe(0)
    expect(asked.privateKey.every((byte) => byte === 0)).toBe(true)
  })

  test.each([
    ['was changed', 'another key file'],
    ['is gone', undefined]
  ])('when its file %s, also when the file comes back', async (_what, text) => {
    ring.unlock(request('user', minutes(15)))
    files = new Map(text === undefined ? [] : [[FILE, text]])
    expect(await ring.sign('user', KEY.did, MESSAGE)).toBeUndefined()
    files.set(FILE, 'the key file')
    expect(await ring.find('user')).toBeUndefined()
    expect(await ring.list()).toEqual([])
  })

  test('under the DID of another key', async () => {
    ring.unlock(request('user', minutes(15)))
    expect(await ring.sign('user', generateKeyPair().did, MESSAGE)).toBeUndefined()
  })

  test('once it was locked, and the others stay', async () => {
    for (const name of ['user', 'dms']) ring.unlock(request(name, minutes(15)))
    expect(ring.lock('user').map(({ name }) => name)).toEqual(['user'])
    expect(ring.lock('user')).toEqual([])
    expect(await ring.sign('user', KEY.did, MESSAGE)).toBeUndefined()
    expect((await ring.list()).map(({ name }) => name)).toEqual(['dms'])
  })

  test('when it is no key, or when there are 64 already', () => {
    const asked = request('user', minutes(15))
    expect(ring.unlock({ ...asked, privateKey: utf8('no key') }).ok).toBe(false)
    for (let number = 0; number < 64; number += 1) expect(ring.unlock(request(`key${number}`, minutes(15))).ok).toBe(true)
    expect(ring.unlock(asked).ok).toBe(false)
    expect(ring.unlock(request('key5', minutes(15))).ok).toBe(true)
  })
})

describe('an unlocked key', () => {
  test('signs', async () => {
    ring.unlock(request('user', minutes(15)))
    const signature = await ring.sign('user', KEY.did, MESSAGE)
    expect(verifySignature(KEY.did, MESSAGE, signature ?? new Uint8Array())).toBe(true)
  })

  test('says how long it is still unlocked', async () => {
    ring.unlock(request('user', minutes(15)))
    time = { clock: time.clock + seconds(60), uptime: time.uptime + seconds(61) }
    expect(await ring.find('user')).toEqual({ name: 'user', did: KEY.did, remaining: seconds(839) })
  })

  test('begins anew when it is unlocked again, and the earlier copy is wiped', async () => {
    const first = request('user', minutes(15))
    ring.unlock(first)
    time = { clock: time.clock + minutes(10), uptime: time.uptime + minutes(10) }
    ring.unlock(request('user', minutes(15)))
    expect(first.privateKey.every((byte) => byte === 0)).toBe(true)
    time = { clock: time.clock + minutes(10), uptime: time.uptime + minutes(10) }
    expect(await ring.find('user')).toMatchObject({ remaining: minutes(5) })
  })

  test('of several, the one whose time is over is dropped', () => {
    ring.unlock(request('user', minutes(1)))
    ring.unlock(request('dms', minutes(2)))
    expect(ring.nextExpiry).toBe(minutes(1))
    time = { ...time, uptime: time.uptime + minutes(1) }
    ring.dropExpired()
    expect(ring.size).toBe(1)
    expect(ring.nextExpiry).toBe(minutes(1))
  })
})
