import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createManualClock, type Gateway, startGateway, TEST_TOPIC } from '../../test/support/gateway.ts'
import { eventually } from '../../test/support/network-hosts.ts'
import { EMPTY_HANDLE, type Envelope, encodeEnvelope, handleOf, handleToJson, signedBytes } from '../actor/index.ts'
import { encodeGoJson, millis, seconds, toNanos, utf8 } from '../base/index.ts'
import { generateKeyPair, type KeyPair } from '../identity/index.ts'
import { type Client, createClient } from './index.ts'

const closers: (() => Promise<void> | void)[] = []
const clock = createManualClock()
const me = generateKeyPair()
const node = generateKeyPair()

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function started(): Promise<Gateway> {
  const gateway = await startGateway()
  closers.push(() => gateway.stop())
  return gateway
}

/** A client of a server that answers like this. */
async function clientOf(listener: RequestListener): Promise<Client> {
  const server: Server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return createClient({ tcp: { host: '127.0.0.1', port }, clock })
}

function answering(status: number, text: string): Promise<Client> {
  return clientOf((_incoming, outgoing) => outgoing.writeHead(status).end(text))
}

const handle = (key: KeyPair, inbox: string) => handleOf(key, key.did, node.peerId, inbox)

const request: Envelope = {
  to: handle(node, 'root'),
  behavior: '/test/echo',
  from: handle(me, 'user-7'),
  nonce: 1n,
  expiresAt: toNanos(millis(clock.now() + seconds(30))),
  replyTo: '/private/user/7',
  topic: '',
  payload: utf8('{}'),
  capabilities: new Uint8Array(),
  signature: new Uint8Array()
}

async function replyOf(change: Partial<Envelope>, key: KeyPair = node): Promise<string> {
  const { from, to, replyTo, payload } = { ...request, payload: utf8('"answer"') }
  const draft: Envelope = { ...request, to: from, from: to, behavior: replyTo, replyTo: '', payload, ...change }
  return encodeEnvelope({ ...draft, signature: await key.sign(signedBytes(draft)) })
}

describe('a node that does not answer', () => {
  test('is reported with its address and what to do when nobody listens', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    await expect(createClient({ tcp: { host: '127.0.0.1', port }, clock }).handle()).rejects.toMatchObject({
      code: 'CLIENT_UNAVAILABLE',
      kind: 'unavailable',
      message: `cannot reach the DMS at 127.0.0.1:${port}: is it running? (nunet run)`
    })
  })

  test('is reported when it hangs up', async () => {
    const client = await clientOf((incoming) => incoming.socket.destroy())
    await expect(client.send(request)).rejects.toMatchObject({
      code: 'CLIENT_UNAVAILABLE',
      message: expect.stringMatching(/the connection to the DMS at 127\.0\.0\.1:\d+ broke/) as unknown
    })
  })

  test('is given up a moment after the message expired', async () => {
    const client = await clientOf(() => undefined)
    const waiting = client.invoke(request)
    await eventually(() => clock.waiting().length === 1)
    expect(clock.waiting()).toEqual([seconds(32)])
    clock.advance(seconds(32))
    await expect(waiting).rejects.toMatchObject({
      code: 'CLIENT_TIMEOUT',
      kind: 'timeout',
      message: expect.stringContaining('request timeout: the DMS at 127.0.0.1') as unknown
    })
    expect(clock.waiting()).toEqual([])
  })

  test('is given up when the caller wants it', async () => {
    const stop = new AbortController()
    const client = await clientOf(() => stop.abort())
    await expect(client.send(request, { signal: stop.signal })).rejects.toMatchObject({ kind: 'cancelled' })
  })
})

describe('a refusal', () => {
  test.each([
    [408, '{"error":"request timeout"}', 'request failed with status 408: request timeout', 'timeout'],
    [503, '{"error":"not here","code":"X","kind":"not-found"}', 'request failed with status 503: not here', 'not-found'],
    [500, '{"error":"old node","kind":"nonsense"}', 'request failed with status 500: old node', 'internal'],
    [418, 'plain\u001b[31m\ntext', 'request failed with status 418: plain [31m text', 'invalid'],
    [502, '', 'request failed with status 502: ', 'internal'],
    [302, '[]', 'request failed with status 302: []', 'invalid']
  ])('with status %i says its reason', async (status, text, message, kind) => {
    const client = await answering(status, text)
    await expect(client.send(request)).rejects.toMatchObject({ code: 'CLIENT_REFUSED', status, message, kind })
  })

  test('of a node that has no handle yet is not remembered', async () => {
    const answers = [
      [500, '{"error":"host node hasn\'t yet been initialized"}'],
      [200, encodeGoJson(handleToJson(handle(node, 'root')))]
    ] as const
    let calls = 0
    const client = await clientOf((_incoming, outgoing) => {
      const [status, text] = answers[calls] ?? [500, 'asked again']
      calls += 1
      outgoing.writeHead(status).end(text)
    })
    await expect(client.handle()).rejects.toThrow('yet been initialized')
    expect(await client.handle()).toEqual(handle(node, 'root'))
    expect(await client.handle()).toEqual(handle(node, 'root'))
    expect(calls).toBe(2)
  })
})

describe('a reply', () => {
  test.each([
    ['is no JSON', 'what?', 'the reply is not an envelope'],
    ['is no envelope', '{}', 'the reply is not an envelope'],
    ['is not signed', encodeEnvelope({ ...request, to: request.from, from: request.to, behavior: request.replyTo }), 'signature'],
    ['goes to somebody else', () => replyOf({ to: handle(node, 'user-7') }), 'addressed to another actor'],
    ['is for another behaviour', () => replyOf({ behavior: '/private/user/8' }), 'not for /private/user/7'],
    ['comes from somebody else', () => replyOf({ from: handle(me, 'root') }, me), 'another actor than the one that was asked'],
    ['was signed by somebody else', () => replyOf({}, me), 'signature does not belong to its sender'],
    ['is too long', ' '.repeat(2 * 1_048_576 + 1), 'has more than']
  ])('is refused when it %s', async (_flaw, reply, reason) => {
    const client = await answering(200, typeof reply === 'string' ? reply : await reply())
    await expect(client.invoke(request)).rejects.toMatchObject({
      code: 'CLIENT_BAD_REPLY',
      message: expect.stringContaining(reason) as unknown
    })
  })

  test('is taken when the actor that was asked signed it', async () => {
    const client = await answering(200, await replyOf({}))
    expect((await client.invoke(request)).payload).toEqual(utf8('"answer"'))
  })
})

describe('the replies to a broadcast', () => {
  const broadcast: Envelope = { ...request, to: EMPTY_HANDLE, topic: '/nunet/test' }

  test('must be a list', async () => {
    const client = await answering(200, '{}')
    await expect(client.broadcast(broadcast)).rejects.toMatchObject({ code: 'CLIENT_BAD_REPLY' })
  })

  test('may be none', async () => {
    expect(await (await answering(200, 'null')).broadcast(broadcast)).toEqual([])
  })

  test('are only those that answer it', async () => {
    const other = generateKeyPair()
    const good = [await replyOf({}), await replyOf({ from: handle(other, 'root') }, other)]
    const bad = ['1', '{}', await replyOf({}, other), await replyOf({ behavior: '/private/user/8' })]
    const client = await answering(200, `[${[...bad, ...good].join(',')}]`)
    expect((await client.broadcast(broadcast)).map(encodeEnvelope)).toEqual(good)
  })
})

describe('a message', () => {
  test('is refused before it is sent when it is too long', async () => {
    let calls = 0
    const client = await clientOf(() => {
      calls += 1
    })
    const payload = new Uint8Array(800_000)
    await expect(client.send({ ...request, payload })).rejects.toMatchObject({ code: 'CLIENT_BAD_MESSAGE', kind: 'invalid' })
    expect(calls).toBe(0)
  })
})

describe('with a real node', () => {
  test('the handle, an invocation, a sending and a broadcast come through', async () => {
    const { client, session, near, far, network, clock: time } = await started()
    expect(await client.handle()).toEqual(near.root.handle)
    const destination = far.root.handle.did
    const asked = await session.compose({ kind: 'invoke', behavior: '/test/echo', destination, payload: [1, 2] })
    expect((await client.invoke(asked)).payload).toEqual(utf8('[1,2]'))
    const sent = await session.compose({ kind: 'send', behavior: '/test/echo', destination })
    expect(await client.send(sent)).toEqual({ message: 'message sent' })
    const told = await session.compose({ kind: 'broadcast', behavior: '/broadcast/test', topic: TEST_TOPIC, payload: 'hi' })
    const host = network.host(near.root.handle.host)
    const before = host.stats().framesReceived
    const waiting = client.broadcast(told)
    await eventually(() => host.stats().framesReceived > before)
    time.advance(seconds(30))
    expect((await waiting).map(({ from }) => from)).toEqual([far.root.handle])
  })
})
