import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { rawRequest } from '../../test/support/gateway.ts'
import type { Relay } from '../actor/index.ts'
import { type Logger, silentLogger } from '../base/index.ts'
import { type ApiServer, createApiServer, type SocketPlace } from './index.ts'

let root = ''
const closers: (() => unknown)[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'api-socket-'))
})

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
  rmSync(root, { recursive: true })
})

function serverAt(
  socket: SocketPlace,
  rest: { readonly log?: Logger; readonly tcp?: { host: string; port: number } } = {}
): ApiServer {
  const server = createApiServer({ socket, relay: {} as Relay, handle: () => undefined, log: silentLogger, ...rest })
  closers.push(() => server.stop())
  return server
}

const at = (path: string): ApiServer => serverAt({ path, isRequired: true })
const modeOf = (path: string): number => lstatSync(path).mode & 0o777

async function listenAt(path: string): Promise<Server> {
  const server = createServer()
  server.listen(path)
  await once(server, 'listening')
  closers.push(() => server.close())
  return server
}

/** A socket at which nobody listens, as a daemon that was killed leaves it. */
async function leaveStale(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['-e', script, path]), 'close')
  expect(lstatSync(path).isSocket()).toBe(true)
}

describe('a socket is refused', () => {
  test.each([0o755, 0o750, 0o701, 0o770, 0o1777])('in a directory that is open to others: %o', async (mode) => {
    const directory = join(root, 'open')
    mkdirSync(directory)
    chmodSync(directory, mode)
    await expect(at(join(directory, 'dms.sock')).start()).rejects.toMatchObject({
      code: 'API_BAD_SOCKET',
      kind: 'invalid',
      message: expect.stringContaining('is open to other users') as unknown
    })
    expect(readdirSync(directory)).toEqual([])
  })

  test('in a directory that is a link, even to a private one', async () => {
    mkdirSync(join(root, 'private'), { mode: 0o700 })
    symlinkSync(join(root, 'private'), join(root, 'link'))
    await expect(at(join(root, 'link', 'dms.sock')).start()).rejects.toThrow('is no directory')
  })

  test('over 107 bytes, with the key to change', async () => {
    const path = join(root, 'x'.repeat(107))
    await expect(at(path).start()).rejects.toThrow(/has \d+ bytes, and a socket takes 107; choose a shorter one with rest.socket/)
  })

  test.each(['a file', 'a directory', 'a link to a socket', 'a link to nothing'])('in place of %s, which stays', async (what) => {
    const path = join(root, 'dms.sock')
    if (what === 'a file') writeFileSync(path, 'precious')
    if (what === 'a directory') mkdirSync(path)
    if (what === 'a link to nothing') symlinkSync(join(root, 'none'), path)
    if (what === 'a link to a socket') {
      await leaveStale(join(root, 'other.sock'))
      symlinkSync(join(root, 'other.sock'), path)
    }
    const before = lstatSync(path).ino
    await expect(at(path).start()).rejects.toThrow('is not a socket of this user')
    expect(lstatSync(path).ino).toBe(before)
  })

  test('where somebody listens, who is not disturbed', async () => {
    const path = join(root, 'dms.sock')
    const other = await listenAt(path)
    await expect(at(path).start()).rejects.toMatchObject({
      code: 'API_SOCKET_IN_USE',
      kind: 'conflict',
      message: expect.stringContaining(`cannot listen on ${path}: another program, perhaps another DMS`) as unknown
    })
    expect(other.listening && lstatSync(path).isSocket()).toBe(true)
    expect(readdirSync(root)).toEqual(['dms.sock'])
  })

  test('without harm when it is only an offer: the port serves alone, and the log says why', async () => {
    const warnings: unknown[] = []
    const log = { ...silentLogger, warn: (message: string, fields: unknown) => void warnings.push([message, fields]) }
    const path = join(root, 'x'.repeat(107))
    const server = serverAt({ path, isRequired: false }, { log, tcp: { host: '127.0.0.1', port: 0 } })
    await server.start()
    expect(server.places()).toEqual({ tcp: { host: '127.0.0.1', port: expect.any(Number) as unknown } })
    expect(warnings).toEqual([
      ['no socket beside the port', { error: expect.stringContaining('choose a shorter one') as unknown }]
    ])
  })
})

describe('a socket', () => {
  test('is for its owner alone, in a directory that is made for it, and is gone after the stop', async () => {
    const path = join(root, 'run', 'deep', 'dms.sock')
    const server = at(path)
    await server.start()
    expect([modeOf(path), modeOf(join(root, 'run', 'deep'))]).toEqual([0o600, 0o700])
    expect(server.places()).toEqual({ socket: path })
    const answer = await rawRequest({ socketPath: path }, 'GET', '/health', { headers: { Host: 'whatever' } })
    expect([answer.status, answer.text]).toEqual([200, '{"status":"ok"}'])
    await server.stop()
    expect(existsSync(path)).toBe(false)
  })

  test('takes the place of one that a killed daemon left', async () => {
    const path = join(root, 'dms.sock')
    await leaveStale(path)
    await at(path).start()
    expect((await rawRequest({ socketPath: path }, 'GET', '/health')).status).toBe(200)
    expect(readdirSync(root)).toEqual(['dms.sock'])
  })

  test('is taken by one of two daemons that start at once', async () => {
    for (let round = 0; round < 20; round += 1) {
      const path = join(root, `${round}.sock`)
      await leaveStale(path)
      const outcomes = await Promise.allSettled([at(path).start(), at(path).start()])
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      expect((await rawRequest({ socketPath: path }, 'GET', '/health')).status).toBe(200)
    }
  })

  test('does not serve web pages either', async () => {
    const path = join(root, 'dms.sock')
    await at(path).start()
    const answer = await rawRequest({ socketPath: path }, 'GET', '/health', { headers: { Origin: 'http://evil.example' } })
    expect(answer.status).toBe(403)
  })
})
