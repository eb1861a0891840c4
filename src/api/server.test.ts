import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, type RawAnswer, rawRequest, startGateway, TEST_TOPIC } from '../../test/support/gateway.ts'
import { eventually } from '../../test/support/network-hosts.ts'
import { type Envelope, encodeEnvelope, handleOf, handleToJson, parseEnvelope, type Relay, signedBytes } from '../actor/index.ts'
import { bytes, encodeGoJson, hours, millis, parseJson, seconds, silentLogger, toNanos, utf8 } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { createApiServer } from './index.ts'

const vectors = JSON.parse(readFileSync(new URL('../../test/vectors/actor.json', import.meta.url), 'utf8')) as {
  readonly api_examples: { readonly items: readonly { readonly request: string; readonly body: unknown }[] }
  readonly go_test_facts: { readonly items: readonly { readonly file: string; readonly fact: string; readonly body?: unknown }[] }
}

let gateway: Gateway

beforeEach(async () => {
  gateway = await startGateway()
})

afterEach(() => gateway.stop())

function post(route: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
  return rawRequest(gateway.tcp(), 'POST', `/api/v1/actor/${route}`, { body, headers })
}

function get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
  return rawRequest(gateway.tcp(), 'GET', path, { headers })
}

function compose(behavior: string, payload: Parameters<Gateway['session']['compose']>[0]['payload'] = null): Promise<Envelope> {
  const destination = encodeGoJson(handleToJson(gateway.far.root.handle))
  return gateway.session.compose({ kind: 'invoke', behavior, destination, payload })
}

/** A message of a fresh key from the near node, signed unless changed afterwards. */
async function signed(change: Partial<Envelope> = {}, at: { host?: string; inbox?: string } = {}): Promise<Envelope> {
  const key = generateKeyPair()
  const { near, far, user, clock } = gateway
  const unsigned: Envelope = {
    to: far.root.handle,
    behavior: '/test/echo',
    from: handleOf(key, user.did, at.host ?? near.root.handle.host, at.inbox ?? 'user-1'),
    nonce: 1n,
    expiresAt: toNanos(millis(clock.now() + seconds(30))),
    replyTo: '/private/user/1',
    topic: '',
    payload: new Uint8Array(),
    capabilities: new Uint8Array(),
    signature: new Uint8Array(),
    ...change
  }
  return { ...unsigned, signature: await key.sign(signedBytes(unsigned)) }
}

function json(answer: RawAnswer): unknown {
  return JSON.parse(answer.text)
}

describe('a request that is not made by a program of this machine', () => {
  test.each(['evil.example', 'evil.example:9999', '127.0.0.1.evil.example', '[::2]', 'localhost:9999@evil.example'])(
    'is refused under the host %j',
    async (host) => {
      const answer = await get('/health', { Host: host })
      expect(answer.status).toBe(403)
      expect(json(answer)).toMatchObject({
        error: expect.stringContaining('does not name this node') as unknown,
        code: 'API_FOREIGN_HOST'
      })
    }
  )

  test.each(['http://evil.example', 'http://localhost:9993', 'https://localhost:9991', 'null', ''])(
    'is refused for pages of %j, also before they send',
    async (origin) => {
      const answers = [
        await post('send', '{}', { Origin: origin }),
        await rawRequest(gateway.tcp(), 'OPTIONS', '/api/v1/actor/send', { headers: { Origin: origin } })
      ]
      for (const answer of answers) {
        expect(answer.status).toBe(403)
        expect(answer.headers['access-control-allow-origin']).toBeUndefined()
        expect(json(answer)).toMatchObject({ code: 'API_FOREIGN_ORIGIN', kind: 'forbidden' })
      }
    }
  )

  test.each(['localhost', 'LOCALHOST:1', '127.0.0.1:9999', '[::1]:9999'])('is served under the host %s', async (host) => {
    expect((await get('/health', { Host: host })).status).toBe(200)
  })

  test('is served for the pages of the appliance, which may read the answer', async () => {
    const origin = 'http://localhost:9991'
    const answer = await get('/api/v1/actor/handle', { Origin: origin })
    expect(answer.status).toBe(200)
    expect(answer.headers['access-control-allow-origin']).toBe(origin)
    const preflight = await rawRequest(gateway.tcp(), 'OPTIONS', '/api/v1/actor/invoke', {
      headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' }
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS',
      'access-control-max-age': '43200',
      vary: 'Origin'
    })
    expect(preflight.headers['access-control-allow-credentials']).toBeUndefined()
  })
})

describe('a body that is no envelope', () => {
  test.each([
    ['invoke', '{"invalid":}', 'invalid JSON at offset 11'],
    ['broadcast', '{"invalid-json"}', 'invalid JSON'],
    ['send', '', 'the request has no body'],
    ['send', '[]', 'an envelope must be an object'],
    ['send', '{"to":1}', 'the body is not an envelope: to:'],
    ['invoke', '{"to":{},"from":{},"be":"/a","nonce":18446744073709551616,"opt":{"exp":1}}', 'nonce: must be an unsigned 64-bit']
  ])('is refused: %s %s', async (route, body, reason) => {
    const answer = await post(route, body)
    expect(answer.status).toBe(400)
    expect(json(answer)).toMatchObject({
      error: expect.stringContaining(reason) as unknown,
      code: 'API_BAD_BODY',
      kind: 'invalid'
    })
    expect(answer.headers['content-type']).toMatch(/^application\/json/)
  })

  test('is refused while it is read when it is larger than an envelope can be', async () => {
    await gateway.stop()
    gateway = await startGateway({ limits: { body: bytes(64) } })
    const answer = await post('send', JSON.stringify('x'.repeat(1000)))
    expect(answer.status).toBe(413)
    expect(json(answer)).toMatchObject({
      error: 'the body of the request has more than 64 bytes',
      code: 'API_BODY_TOO_LARGE',
      kind: 'invalid'
    })
  })

  test('may be announced as any type when it is one', async () => {
    const body = encodeEnvelope(await compose('/test/echo'))
    for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
      expect((await post('send', body, { 'Content-Type': type })).status).toBe(200)
    }
  })
})

describe('a message that cannot be transported', () => {
  test.each(['send', 'invoke'])('is refused by %s when its sender is not a client of this node', async (route) => {
    const { far } = gateway
    const foreign = await post(route, encodeEnvelope(await signed({}, { host: far.root.handle.host })))
    expect(foreign.status).toBe(400)
    expect(json(foreign)).toMatchObject({
      error: expect.stringContaining("the sender's host must be this node") as unknown,
      kind: 'invalid'
    })
    const squatter = await post(route, encodeEnvelope(await signed({}, { inbox: 'root' })))
    expect(squatter.status).toBe(400)
    expect(json(squatter)).toMatchObject({ error: expect.stringContaining("the sender's inbox must be user-<name>") as unknown })
  })

  test.each([
    ['expired', () => ({ expiresAt: toNanos(millis(gateway.clock.now() - 1)) }), 'the message has expired'],
    ['valid for too long', () => ({ expiresAt: toNanos(millis(gateway.clock.now() + hours(25))) }), 'more than 24 hours'],
    ['without a reply path', () => ({ replyTo: '' }), 'missing replyTo field in message']
  ])('is refused when it is %s', async (_what, change, reason) => {
    const answer = await post('invoke', encodeEnvelope(await signed(change())))
    expect(answer.status).toBe(400)
    expect(json(answer)).toMatchObject({ error: expect.stringContaining(reason) as unknown, code: 'ACTOR_BAD_ENVELOPE' })
  })

  test('is refused when it was changed after it was signed', async () => {
    const envelope = { ...(await signed()), behavior: '/test/fail' }
    const answer = await post('invoke', encodeEnvelope(envelope))
    expect(answer.status).toBe(400)
    expect(json(answer)).toMatchObject({ error: 'the signature does not belong to the sender' })
  })

  test('is refused by broadcast when it goes to one actor', async () => {
    const answer = await post('broadcast', encodeEnvelope(await compose('/test/echo')))
    expect(answer.status).toBe(400)
    expect(json(answer)).toMatchObject({ error: 'message is not a broadcast message', kind: 'invalid' })
  })

  test('is answered with 503 when its destination cannot be reached', async () => {
    const { network, near, far } = gateway
    const envelope = await compose('/test/echo')
    network.unlink(near.root.handle.host, far.root.handle.host)
    for (const route of ['send', 'invoke']) {
      const waiting = post(route, encodeEnvelope(envelope))
      await eventually(() => gateway.clock.waiting().includes(5000)) // it is tried for five seconds
      gateway.clock.advance(seconds(5))
      const answer = await waiting
      expect(answer.status).toBe(503)
      expect(json(answer)).toMatchObject({ code: 'NETWORK_UNREACHABLE', kind: 'unavailable' })
    }
  })

  test('is answered with 409 while another request uses its inbox', async () => {
    const envelope = await compose('/test/held')
    const first = post('invoke', encodeEnvelope(envelope))
    await eventually(() => gateway.clock.waiting().length === 2)
    const second = await post('invoke', encodeEnvelope(envelope))
    expect(second.status).toBe(409)
    gateway.release()
    expect((await first).status).toBe(200)
  })
})

describe('a request for nothing', () => {
  test('names the path that does not exist', async () => {
    const answer = await get('/api/v1/onboarding/status?x=1')
    expect(answer.status).toBe(404)
    expect(json(answer)).toEqual({
      error: 'there is nothing at /api/v1/onboarding/status',
      code: 'API_NO_SUCH_ROUTE',
      kind: 'not-found'
    })
  })

  test.each(['/:a(', '/:a(.*)', '/:', '/*', '/health/:a?', '/a::b', '//'])(
    'takes %s for a path, not for a pattern',
    async (path) => {
      await gateway.stop()
      const lines: string[] = []
      gateway = await startGateway({ log: { ...silentLogger, error: (message) => void lines.push(message) } })
      const answer = await rawRequest(gateway.tcp(), 'GET', path)
      expect(answer.status).toBe(404)
      expect(json(answer)).toMatchObject({ code: 'API_NO_SUCH_ROUTE' })
      expect(lines).toEqual([])
    }
  )

  test('names the methods that exist', async () => {
    const answer = await get('/api/v1/actor/invoke')
    expect(answer.status).toBe(405)
    expect(json(answer)).toMatchObject({ error: '/api/v1/actor/invoke does not take GET, only POST' })
    expect((await rawRequest(gateway.tcp(), 'DELETE', '/health')).status).toBe(405)
  })

  test('is JSON also for a broken path', async () => {
    const answer = await get('/%zz')
    expect(answer.status).toBe(400)
    expect(json(answer)).toMatchObject({ error: expect.any(String) as unknown, code: 'API_BAD_REQUEST' })
  })
})

describe('before the node has a handle', () => {
  const facts = vectors.go_test_facts.items.find(({ fact }) => fact.startsWith('No network'))

  test.each([
    ['GET', 'handle'],
    ['POST', 'send'],
    ['POST', 'invoke'],
    ['POST', 'broadcast']
  ])('%s %s fails as in the reference', async (method, route) => {
    await gateway.stop()
    gateway = await startGateway({ handle: () => undefined })
    const answer = await rawRequest(gateway.tcp(), method, `/api/v1/actor/${route}`, method === 'GET' ? {} : { body: '{}' })
    expect(answer.status).toBe(500)
    expect(json(answer)).toMatchObject(facts?.body ?? 'the vector is missing')
  })
})

describe('a request that nobody answers', () => {
  const example = vectors.api_examples.items.find(({ request }) => request.includes('no reply before exp'))

  test('is answered with 408 when the message expires', async () => {
    const waiting = post('invoke', encodeEnvelope(await compose('/test/silent')))
    await eventually(() => gateway.clock.waiting().length > 0)
    gateway.clock.advance(seconds(30))
    const answer = await waiting
    expect(answer.status).toBe(408)
    expect(json(answer)).toMatchObject(example?.body ?? 'the vector is missing')
    expect(json(answer)).toMatchObject({ code: 'ACTOR_NO_REPLY', kind: 'timeout' })
  })

  test.each(['invoke', 'broadcast'] as const)('frees its inbox when the client of %s goes away', async (kind) => {
    const message =
      kind === 'invoke'
        ? await compose('/test/silent')
        : await gateway.session.compose({ kind, behavior: '/broadcast/test', topic: TEST_TOPIC })
    const body = encodeEnvelope(message)
    const gone = new AbortController()
    const given = rawRequest(gateway.tcp(), 'POST', `/api/v1/actor/${kind}`, { body, signal: gone.signal })
    const { inbox } = message.from
    const host = gateway.network.host(gateway.near.root.handle.host)
    await eventually(() => gateway.clock.waiting().length > 0)
    expect(() => host.listen(inbox, () => undefined)).toThrow('listener already')
    gone.abort()
    await expect(given).rejects.toThrow()
    await eventually(() => gateway.clock.waiting().length === 0)
    host.listen(inbox, () => undefined)()
  })
})

describe('a reply', () => {
  test('is not what somebody else puts into the inbox of the client', async () => {
    const { near, far, network, clock } = gateway
    const envelope = await compose('/test/held')
    const waiting = post('invoke', encodeEnvelope(envelope))
    await eventually(() => clock.waiting().length > 0)

    const stranger = generateKeyPair()
    const thief = network.host(stranger.peerId)
    await thief.start()
    network.link(stranger.peerId, near.root.handle.host)
    const forged = async (change: Partial<Envelope>, key = stranger): Promise<Uint8Array> => {
      const draft = await signed({
        to: envelope.from,
        behavior: envelope.replyTo,
        from: handleOf(key, stranger.did, stranger.peerId, 'root'),
        replyTo: '',
        payload: utf8('"forged"'),
        ...change
      })
      return utf8(encodeEnvelope({ ...draft, signature: await key.sign(signedBytes({ ...draft, signature: new Uint8Array() })) }))
    }
    const { inbox } = envelope.from
    await thief.send(near.root.handle.host, inbox, utf8('no envelope'))
    await thief.send(near.root.handle.host, inbox, await forged({}))
    await thief.send(near.root.handle.host, inbox, await forged({ from: { ...far.root.handle, host: stranger.peerId } }))
    await thief.send(near.root.handle.host, inbox, await forged({ from: far.root.handle }))
    const own = far.root.key
    const farHost = network.host(far.root.handle.host)
    await farHost.send(near.root.handle.host, inbox, await forged({ from: far.root.handle, behavior: '/private/user/2' }, own))
    await farHost.send(near.root.handle.host, inbox, await forged({ from: far.root.handle, to: far.root.handle }, own))
    gateway.release()

    const answer = parseJson((await waiting).text)
    const reply = answer.ok ? parseEnvelope(answer.value) : answer
    expect(reply.ok && Buffer.from(reply.value.payload ?? []).toString()).toBe('"the real reply"')
    await thief.stop()
  })

  test('keeps 64-bit integers and every signed byte', async () => {
    const payload = { big: 18_446_744_073_709_551_615n, text: '<a&b>\u2028é' }
    const answer = await post('invoke', encodeEnvelope(await compose('/test/echo', payload)))
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toMatch(/^application\/json/)
    const parsed = parseJson(answer.text)
    const reply = parsed.ok ? parseEnvelope(parsed.value) : parsed
    if (!reply.ok) throw new Error(reply.error.message)
    expect(encodeEnvelope(reply.value)).toBe(answer.text)
    expect(Buffer.from(reply.value.payload ?? []).toString()).toBe(encodeGoJson(payload))
  })
})

describe('the routes', () => {
  test('GET /health says ok', async () => {
    const answer = await get('/health')
    expect([answer.status, answer.text]).toEqual([200, '{"status":"ok"}'])
  })

  test.each([
    ['it starts', { isStarted: false, parts: { database: true, network: false } }, [503, 503], 'starting', ['network']],
    [
      'a part does not work',
      { isStarted: true, parts: { database: false, network: true } },
      [200, 503],
      'impaired',
      ['database']
    ],
    ['all works', { isStarted: true, parts: { database: true, network: true } }, [200, 200], 'ready', []]
  ] as const)('GET /health and its parts tell how the node is when %s', async (_when, state, expected, status, failing) => {
    await gateway.stop()
    gateway = await startGateway({ health: async () => ({ ...state, hasPeers: false, executors: ['wasm'] }) })
    const answers = [await get('/health'), await get('/health/ready')]
    expect(answers.map((answer) => answer.status)).toEqual(expected)
    expect(answers.map(json)).toEqual([
      { status: state.isStarted ? 'ok' : 'starting' },
      { status, failing, peers: 'none', executors: ['wasm'] }
    ])
    const live = await get('/health/live')
    expect([live.status, live.text]).toEqual([200, '{"status":"ok"}'])
  })

  test('GET handle gives the handle of the root actor', async () => {
    const answer = await get('/api/v1/actor/handle')
    expect([answer.status, answer.text]).toEqual([200, encodeGoJson(handleToJson(gateway.near.root.handle))])
  })

  test('POST send says that the message was sent', async () => {
    const answer = await post('send', encodeEnvelope(await compose('/test/echo')))
    expect([answer.status, answer.text]).toEqual([200, '{"message":"message sent"}'])
  })

  test('POST broadcast gives null when nobody answered, at the expiry of the message', async () => {
    const envelope = await gateway.session.compose({ kind: 'broadcast', behavior: '/broadcast/none', topic: '/nunet/none' })
    const waiting = post('broadcast', encodeEnvelope(envelope))
    await eventually(() => gateway.clock.waiting().length > 0)
    gateway.clock.advance(seconds(30))
    const answer = await waiting
    expect([answer.status, answer.text]).toEqual([200, 'null'])
  })

  test('POST broadcast gives the list of the replies', async () => {
    const envelope = await gateway.session.compose({
      kind: 'broadcast',
      behavior: '/broadcast/test',
      topic: TEST_TOPIC,
      payload: 'hi'
    })
    const { near, clock, network } = gateway
    const host = network.host(near.root.handle.host)
    const waiting = post('broadcast', encodeEnvelope(envelope))
    await eventually(() => host.stats().framesReceived > 0)
    clock.advance(seconds(30))
    const answer = await waiting
    expect(answer.status).toBe(200)
    expect(json(answer)).toEqual([expect.objectContaining({ be: envelope.replyTo, msg: Buffer.from('"hi"').toString('base64') })])
  })

  test('count their answers', async () => {
    await gateway.stop()
    const counts: string[] = []
    gateway = await startGateway({ counters: { increment: (name) => void counts.push(name) } })
    await get('/health')
    await get('/nothing')
    await eventually(() => counts.length === 2)
    expect(counts).toEqual(['api.answers.200', 'api.answers.404'])
  })
})

describe('a failure that is nobody else’s business', () => {
  test('is logged, and the client learns only under which name', async () => {
    await gateway.stop()
    const lines: unknown[] = []
    const relay: Relay = {
      ...gateway.near,
      relaySend: async () => {
        throw new TypeError('secret plans')
      }
    }
    gateway = await startGateway({ relay, log: { ...silentLogger, error: (_message, fields) => void lines.push(fields) } })
    const answer = await post('send', encodeEnvelope(await compose('/test/echo')))
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('secret')
    expect(json(answer)).toMatchObject({
      error: expect.stringMatching(/the node logged it as req-\w+$/) as unknown,
      kind: 'internal'
    })
    expect(lines).toEqual([expect.objectContaining({ error: expect.stringContaining('secret plans') as unknown })])
  })
})

describe('the life of the server', () => {
  const idle = { relay: {} as Relay, handle: () => undefined, log: silentLogger }

  test('names the port that is in use, and the key to change it', async () => {
    const { host, port } = gateway.tcp()
    const second = createApiServer({ ...idle, tcp: { host, port } })
    await expect(second.start()).rejects.toMatchObject({
      code: 'API_PORT_IN_USE',
      kind: 'conflict',
      message: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}.*rest\\.port`)) as unknown
    })
    await second.stop()
  })

  test('names an address that is not of this machine', async () => {
    const server = createApiServer({ ...idle, tcp: { host: '192.0.2.1', port: 0 } })
    await expect(server.start()).rejects.toMatchObject({
      code: 'API_BAD_ADDRESS',
      message: expect.stringContaining('rest.addr') as unknown
    })
  })

  test('gives up a client that does not finish its request', async () => {
    await gateway.stop()
    gateway = await startGateway({ limits: { receive: millis(20) } })
    const socket = connect(gateway.tcp().port, '127.0.0.1')
    socket.write('POST /api/v1/actor/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 408 /)
    await once(socket, 'close')
  })

  test('stops at once, answers who waits, and can start again', async () => {
    const waiting = post('invoke', encodeEnvelope(await compose('/test/silent')))
    const idleSocket = connect(gateway.tcp().port, '127.0.0.1')
    idleSocket.on('error', () => undefined)
    await eventually(() => gateway.clock.waiting().length > 0)
    const begin = performance.now()
    await Promise.all([gateway.api.stop(), gateway.api.stop()])
    expect(performance.now() - begin).toBeLessThan(1000)
    const answer = await waiting
    expect(answer.status).toBe(503)
    expect(json(answer)).toMatchObject({ code: 'API_STOPPING', kind: 'unavailable' })
    await expect(get('/health')).rejects.toThrow()
    idleSocket.destroy()

    await gateway.api.start()
    expect((await get('/health')).status).toBe(200)
  })
})
