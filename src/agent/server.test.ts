import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, isJsonObject, type Millis, millis, minutes, seconds, systemClock, utf8 } from '../base/index.ts'
import { generateKeyPair, verifySignature } from '../identity/index.ts'
import { createAgentClient } from './client.ts'
import { digestOf } from './digest.ts'
import { AgentFailedError, AgentRefusedError, AgentRunningError, KeyLockedError } from './errors.ts'
import { encodeFrame, type Frame, MAX_BODY, readFrame } from './frame.ts'
import type { KeyToUnlock } from './messages.ts'
import { type AgentServer, createAgentServer } from './server.ts'

const KEY = generateKeyPair()
const MESSAGE = utf8('a message')

/** A clock whose sleepers wake only when a test says so. */
interface HandClock extends Clock {
  pass(time: Millis): void
  readonly uptime: () => Millis
}

function createHandClock(): HandClock {
  const start = Date.now()
  let passed = 0
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>()
  return {
    now: () => millis(start + passed),
    uptime: () => millis(1000 + passed),
    sleep: (duration, { signal } = {}) =>
      new Promise((resolve, reject) => {
        const sleeper = { at: passed + duration, wake: resolve }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          reject(new Error('cancelled'))
        })
      }),
    pass(time) {
      passed += time
      for (const sleeper of [...sleepers].filter(({ at }) => at <= passed)) {
        sleepers.delete(sleeper)
        sleeper.wake()
      }
    }
  }
}

let root = ''
let socketPath = ''
let keyFile = ''
let clock: HandClock
let server: AgentServer

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'agent-'))
  socketPath = join(root, 'agent.sock')
  keyFile = join(root, 'user.json')
  writeFileSync(keyFile, 'the key file')
  clock = createHandClock()
  server = createAgentServer({ socketPath, clock, uptime: clock.uptime })
  await server.start()
})
afterEach(async () => {
  await server.stop()
  rmSync(root, { recursive: true })
})

const client = () => createAgentClient({ socketPath, clock: systemClock })

function keyToUnlock(name = 'user', lifetime = minutes(15)): KeyToUnlock {
  return { name, path: keyFile, digest: digestOf('the key file'), privateKey: KEY.exportPrivate(), lifetime }
}

async function connected(): Promise<Socket> {
  const socket = connect(socketPath)
  await once(socket, 'connect')
  return socket
}

async function ask(bytes: Uint8Array): Promise<Frame> {
  const socket = await connected()
  const reply = readFrame(socket)
  socket.write(bytes)
  return await reply.finally(() => socket.destroy())
}

describe('the agent refuses', () => {
  test.each([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'longer than'],
    ['a message that is too long', prefix(4, MAX_BODY + 1), 'longer than'],
    ['a header that is too long', prefix(2 ** 31, 0), 'longer than'],
    ['what is not JSON', Buffer.concat([prefix(3, 0), Buffer.from('{"a')]), 'not a message'],
    ['what is no object', encodeFrame('list'), 'must be an object'],
    ['another version', encodeFrame({ version: 2, type: 'list' }), 'version must be 1'],
    ['no version', encodeFrame({ type: 'list' }), 'version must be 1'],
    ['what it does not know', encodeFrame({ version: 1, type: 'export', name: 'user' }), 'type is unknown'],
    ['a name that is no text', encodeFrame({ version: 1, type: 'find', name: 5 }), 'name must be a text'],
    ['a name that is too long', encodeFrame({ version: 1, type: 'find', name: 'x'.repeat(65) }), 'name must be a text'],
    ['a signature for nobody', encodeFrame({ version: 1, type: 'sign', name: 'user' }), 'did must be a DID']
  ])('%s, and goes on', async (_what, bytes, message) => {
    const { header } = await ask(bytes)
    expect(isJsonObject(header) && header['ok']).toBe(false)
    expect(JSON.stringify(header)).toContain(message)
    expect(await client().list()).toEqual([])
  })

  test.each([
    ['a path that is not absolute', { path: 'user.json' }],
    ['a digest that is none', { digest: 'abc' }],
    ['a day and a bit', { lifetime: millis(86_400_001) }],
    ['no time at all', { lifetime: millis(0) }],
    ['bytes that are no key', { privateKey: utf8('no key') }]
  ])('to hold a key with %s', async (_what, change) => {
    await expect(client().unlock({ ...keyToUnlock(), ...change })).rejects.toThrow(AgentRefusedError)
    expect(await client().list()).toEqual([])
  })

  test('to sign with a key that is not unlocked, was locked, or whose time is over', async () => {
    expect(await client().find('user')).toBeUndefined()
    await client().unlock(keyToUnlock('other', minutes(60)))
    await client().unlock(keyToUnlock())
    const signer = await client().find('user')
    await client().lock('user')
    await expect(signer?.sign(MESSAGE)).rejects.toThrow(KeyLockedError)
    await client().unlock(keyToUnlock())
    expect(await signer?.sign(MESSAGE)).toBeDefined()
    clock.pass(minutes(15))
    await expect(signer?.sign(MESSAGE)).rejects.toThrow('is not unlocked any more')
  })

  test('to sign with a key whose file was changed', async () => {
    await client().unlock(keyToUnlock())
    const signer = await client().find('user')
    writeFileSync(keyFile, 'with another passphrase')
    await expect(signer?.sign(MESSAGE)).rejects.toThrow(KeyLockedError)
    expect(await client().find('user')).toBeUndefined()
  })

  test('to start where one listens already', async () => {
    const second = createAgentServer({ socketPath, clock, uptime: clock.uptime })
    await expect(second.start()).rejects.toThrow(AgentRunningError)
    await client().unlock(keyToUnlock())
    expect(await client().list()).toHaveLength(1)
  })

  test('to wait for a slow peer, or for one that says nothing', async () => {
    const slow = await connected()
    slow.write(Buffer.from([0, 0]))
    expect(await client().list()).toEqual([])
    const closed = once(slow, 'close')
    slow.resume()
    clock.pass(seconds(5))
    await closed
  })

  test('more than 64 connections at a time, and serves again when they are gone', async () => {
    const sockets = await Promise.all(Array.from({ length: 64 }, connected))
    const dropped = connect(socketPath)
    dropped.on('error', () => undefined).resume()
    await once(dropped, 'close')
    await Promise.all(
      sockets.map(async (socket) => {
        socket.resume().end()
        await once(socket, 'close')
      })
    )
    expect(await client().list()).toEqual([])
  })
})

describe('the agent', () => {
  test('signs for a key, and never shows it', async () => {
    expect(await client().unlock(keyToUnlock())).toEqual({ name: 'user', did: KEY.did, remaining: minutes(15) })
    const signer = await client().find('user')
    expect(signer?.did).toBe(KEY.did)
    expect(verifySignature(KEY.did, MESSAGE, (await signer?.sign(MESSAGE)) ?? new Uint8Array())).toBe(true)
    const { header, body } = await ask(encodeFrame({ version: 1, type: 'find', name: 'user' }))
    expect(JSON.stringify(header)).not.toContain(Buffer.from(KEY.exportPrivate()).toString('hex').slice(8, 40))
    expect(body).toHaveLength(0)
  })

  test('signs messages as long as actors send', async () => {
    await client().unlock(keyToUnlock())
    const message = new Uint8Array(2 ** 20).fill(7)
    const signature = await (await client().find('user'))?.sign(message)
    expect(verifySignature(KEY.did, message, signature ?? new Uint8Array())).toBe(true)
  })

  test('obeys lock whatever the version', async () => {
    await client().unlock(keyToUnlock())
    await ask(encodeFrame({ version: 9, type: 'lock' }))
    await server.ended
  })

  test('keeps its socket from others', () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600)
  })

  test('takes the place of one that was killed', async () => {
    await server.stop()
    await leaveStaleSocket()
    expect(existsSync(socketPath)).toBe(true)
    expect(await client().find('user')).toBeUndefined()
    server = createAgentServer({ socketPath, clock, uptime: clock.uptime })
    await server.start()
    expect(await client().list()).toEqual([])
  })
})

describe('the agent ends and leaves nothing', () => {
  async function expectEnded(): Promise<void> {
    await server.ended
    expect(readdirSync(root)).toEqual(['user.json'])
    expect(await client().list()).toBeUndefined()
  }

  test('when its last key is locked', async () => {
    await client().unlock(keyToUnlock('user'))
    await client().unlock(keyToUnlock('dms'))
    await client().lock('user')
    expect((await client().list())?.map(({ name }) => name)).toEqual(['dms'])
    await client().lock()
    await expectEnded()
  })

  test('when the time of its last key is over', async () => {
    await client().unlock(keyToUnlock('user', seconds(3)))
    clock.pass(seconds(5))
    await expectEnded()
  })

  test('when nobody gave it a key', async () => {
    clock.pass(seconds(5))
    expect(await client().list()).toEqual([])
    clock.pass(seconds(5))
    await expectEnded()
  })

  test('when its socket is gone', async () => {
    await client().unlock(keyToUnlock())
    rmSync(socketPath)
    clock.pass(seconds(5))
    await expectEnded()
  })

  test('when it is told to', async () => {
    await client().unlock(keyToUnlock())
    await server.stop()
    await expectEnded()
  })
})

describe('a command', () => {
  async function withImpostor(answer: (socket: Socket) => void, work: () => Promise<void>): Promise<void> {
    await server.stop()
    const impostor = createServer(answer)
    impostor.listen(socketPath)
    await once(impostor, 'listening')
    try {
      await work()
    } finally {
      impostor.close()
    }
  }

  test('finds no key where nobody listens, and says so when it asks for more', async () => {
    await server.stop()
    expect(await client().find('user')).toBeUndefined()
    expect(await client().list()).toBeUndefined()
    expect(await client().unlock(keyToUnlock())).toBeUndefined()
    expect(await client().lock()).toEqual([])
  })

  test('does not believe an answer that is none', async () => {
    await withImpostor(
      (socket) => socket.end(encodeFrame({ version: 1, ok: true, keys: [{ name: 'user' }] })),
      async () => {
        expect(await client().find('user')).toBeUndefined()
        await expect(client().list()).rejects.toThrow(AgentFailedError)
      }
    )
  })

  test('does not take one key for another', async () => {
    await withImpostor(
      (socket) => socket.end(encodeFrame({ version: 1, ok: true, keys: [{ name: 'dms', did: KEY.did, remaining_ms: 5 }] })),
      async () => expect(await client().find('user')).toBeUndefined()
    )
  })

  test('is not held up by an agent that hangs', async () => {
    const patience = createHandClock()
    await withImpostor(
      (socket) => socket.on('data', () => patience.pass(seconds(3))),
      async () => {
        const waiting = createAgentClient({ socketPath, clock: patience })
        expect(await waiting.find('user')).toBeUndefined()
        await expect(waiting.list()).rejects.toThrow('did not finish within 3000 ms')
      }
    )
  })
})

function prefix(header: number, body: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(header, 0)
  bytes.writeUInt32BE(body, 4)
  return bytes
}

/** A socket file at which nobody listens: what is left of a killed agent. */
async function leaveStaleSocket(): Promise<void> {
  const dead = createServer()
  dead.listen(join(root, 'dead.sock'))
  await once(dead, 'listening')
  renameSync(join(root, 'dead.sock'), socketPath)
  dead.close()
  await once(dead, 'close')
}
