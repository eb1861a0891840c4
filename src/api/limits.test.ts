import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, rawRequest, startGateway } from '../../test/support/gateway.ts'
import { eventually } from '../../test/support/network-hosts.ts'
import { encodeEnvelope } from '../actor/index.ts'
import { bytes, encodeGoJson, millis } from '../base/index.ts'
import { createClient } from '../client/index.ts'
import type { ApiLimits } from './index.ts'

let gateway: Gateway
let directory = ''
const sockets: Socket[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'api-limits-'))
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await gateway.stop()
  rmSync(directory, { recursive: true })
})

async function start(limits: Partial<ApiLimits>): Promise<void> {
  gateway = await startGateway({ limits, socket: { path: join(directory, 'run', 'dms.sock'), isRequired: true } })
}

/** A connection to the port, with what came back by it. */
interface Wire {
  readonly socket: Socket
  text(): string
}

async function dial(): Promise<Wire> {
  const socket = connect(gateway.tcp().port, '127.0.0.1')
  sockets.push(socket)
  let received = ''
  socket.setEncoding('utf8')
  socket.on('error', () => undefined) // being thrown out is what these tests are about
  socket.on('data', (chunk: string) => {
    received += chunk
  })
  await once(socket, 'connect')
  return { socket, text: () => received }
}

const socketPlace = (): { readonly socketPath: string } => ({ socketPath: join(directory, 'run', 'dms.sock') })
const HELD = 'GET /api/v1/actor/handle HTTP/1.1\r\nHost: localhost\r\n'

async function heldMessage(): Promise<string> {
  const destination = encodeGoJson({
    id: { pub: gateway.far.root.handle.id },
    did: { uri: gateway.far.root.handle.did },
    addr: { host: gateway.far.root.handle.host, inbox: 'root' }
  })
  return encodeEnvelope(await gateway.session.compose({ kind: 'invoke', behavior: '/test/held', destination }))
}

function invokeText(body: string): string {
  return `POST /api/v1/actor/invoke HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

/** Resolves when the port has room again; the runner's time limit ends it otherwise. */
async function servedAgain(): Promise<void> {
  for (;;) {
    const answer = await rawRequest(gateway.tcp(), 'GET', '/health').catch(() => undefined)
    if (answer?.status === 200) return
  }
}

describe('a client that', () => {
  test('sends its headers byte by byte is thrown out', async () => {
    await start({ receive: millis(200) })
    const { socket, text } = await dial()
    socket.write(HELD)
    const drip = setInterval(() => socket.write('X'), 20)
    await once(socket, 'close')
    clearInterval(drip)
    expect(text()).toMatch(/^HTTP\/1\.1 408 /)
  })

  test('sends its body byte by byte is thrown out', async () => {
    await start({ receive: millis(200) })
    const { socket, text } = await dial()
    socket.write('POST /api/v1/actor/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n')
    const drip = setInterval(() => socket.write(' '), 20)
    await once(socket, 'close')
    clearInterval(drip)
    expect(text()).toMatch(/^HTTP\/1\.1 408 /)
  })

  test('sends no end of headers is told so', async () => {
    await start({})
    const { socket, text } = await dial()
    socket.write(`${HELD}X: ${'x'.repeat(20_000)}\r\n\r\n`)
    await once(socket, 'close')
    expect(text()).toMatch(/^HTTP\/1\.1 431 .*"code":"API_BAD_REQUEST"/s)
  })

  test('speaks something else than HTTP is told so', async () => {
    await start({})
    const { socket, text } = await dial()
    socket.write('\u0016\u0003\u0001 hello\r\n\r\n')
    await once(socket, 'close')
    expect(text()).toMatch(/^HTTP\/1\.1 400 /)
  })

  test('asks for a WebSocket gets none', async () => {
    await start({})
    const { text, socket } = await dial()
    socket.write(`${HELD}Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://evil.example\r\n\r\n`)
    await eventually(() => text() !== '')
    expect(text()).toMatch(/^HTTP\/1\.1 403 /)
  })

  test('sends requests before it got its answers has only a few served at once', async () => {
    await start({})
    const { socket, text } = await dial()
    const bodies = await Promise.all(Array.from({ length: 6 }, heldMessage))
    socket.write(bodies.map(invokeText).join(''))
    await eventually(() => gateway.clock.waiting().length >= 4)
    gateway.release()
    await eventually(() => text().split('HTTP/1.1 ').length === 7)
    const statuses = text().match(/HTTP\/1\.1 \d+/g)
    expect(statuses).toEqual([...Array<string>(4).fill('HTTP/1.1 200'), ...Array<string>(2).fill('HTTP/1.1 429')])
  })
})

describe('while the port is flooded', () => {
  test('with connections, more are refused, and the owner gets in by the socket', async () => {
    await start({ connections: 20 })
    for (let count = 0; count < 20; count += 1) await dial()
    await expect(rawRequest(gateway.tcp(), 'GET', '/health')).rejects.toThrow()
    expect((await rawRequest(socketPlace(), 'GET', '/health')).status).toBe(200)
  })

  test('with connections of one address, others still get in', async () => {
    await start({ perAddress: 5 })
    const held = await Promise.all(Array.from({ length: 5 }, dial))
    await expect(rawRequest(gateway.tcp(), 'GET', '/health')).rejects.toThrow()
    held[0]?.socket.destroy()
    await servedAgain()
  })

  test('with invocations that nobody answers, more are refused, and the owner gets in by the socket', async () => {
    await start({ requests: 3 })
    for (let count = 0; count < 3; count += 1) (await dial()).socket.write(invokeText(await heldMessage()))
    await eventually(() => gateway.clock.waiting().length >= 3)
    const refused = await rawRequest(gateway.tcp(), 'GET', '/health')
    expect(refused.status).toBe(429)
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'API_BUSY', kind: 'exhausted' })
    const owner = createClient({ ...gateway.api.places(), clock: gateway.clock })
    expect(await owner.handle()).toEqual(gateway.near.root.handle)
    gateway.release()
    await servedAgain()
  })

  test('with bodies, what they hold in memory is bounded, also when they do not tell their length', async () => {
    await start({ bodies: bytes(3_000_000) })
    const announcements = ['Content-Length: 1000000', 'Transfer-Encoding: chunked']
    for (const announcement of announcements) {
      const { socket } = await dial()
      socket.write(`POST /api/v1/actor/send HTTP/1.1\r\nHost: localhost\r\n${announcement}\r\n\r\n`)
    }
    const third = await dial()
    third.socket.write(`POST /api/v1/actor/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n`)
    await eventually(() => third.text() !== '')
    expect(third.text()).toMatch(/^HTTP\/1\.1 429 /)
    expect((await rawRequest(socketPlace(), 'POST', '/api/v1/actor/send', { body: '{}' })).status).toBe(400)
  })
})
