import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, startGateway, TEST_TOPIC } from '../../test/support/gateway.ts'
import { eventually } from '../../test/support/network-hosts.ts'
import { EMPTY_HANDLE, type Envelope, handleToJson, hasValidSignature, RemoteError } from '../actor/index.ts'
import { encodeGoJson, fromUtf8, millis, minutes, seconds, systemRandom, toNanos, utf8 } from '../base/index.ts'
import { createVerifier } from '../identity/index.ts'
import { createContext, parseTokenList, type Token } from '../ucan/index.ts'
import { createSession, type Session } from './index.ts'

let gateway: Gateway
let session: Session

beforeEach(async () => {
  gateway = await startGateway()
  session = gateway.session
})

afterEach(() => gateway.stop())

function tokensOf({ capabilities }: Envelope): readonly Token[] {
  const tokens = parseTokenList(fromUtf8(capabilities))
  if (!tokens.ok) throw new Error(tokens.error.message)
  return tokens.value
}

describe('a message', () => {
  test.each([
    ['nowhere', 'cannot read the destination "nowhere"'],
    ['did:key:nothing', 'cannot read the destination "did:key:nothing"'],
    ['QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb', 'is the hash of a key'],
    ['{"id":', 'invalid JSON'],
    ['{}', 'must have a did and an id']
  ])('to %s is refused', async (destination, reason) => {
    await expect(session.compose({ kind: 'send', behavior: '/a', destination })).rejects.toMatchObject({
      code: 'CLIENT_BAD_MESSAGE',
      message: expect.stringContaining(reason) as unknown
    })
  })

  test('goes to the node itself, a DID, a peer id or a handle', async () => {
    const { near, far } = gateway
    const { handle } = far.root
    const to = async (destination?: string): Promise<unknown> =>
      (await session.compose({ kind: 'send', behavior: '/a', ...(destination === undefined ? {} : { destination }) })).to
    expect(await to()).toEqual(near.root.handle)
    expect(await to(handle.did)).toEqual(handle)
    expect(await to(handle.host)).toEqual(handle)
    expect(await to(` ${encodeGoJson(handleToJson({ ...handle, inbox: 'other' }))}`)).toEqual({ ...handle, inbox: 'other' })
  })

  test('is signed with the key of the session, in the name of the context, from an inbox at the node', async () => {
    const { near, user } = gateway
    const envelopes = [
      await session.compose({ kind: 'invoke', behavior: '/a', payload: { big: 2n ** 63n, text: '<' } }),
      await session.compose({ kind: 'invoke', behavior: '/a' })
    ]
    for (const envelope of envelopes) {
      expect(hasValidSignature(envelope, createVerifier())).toBe(true)
      expect(envelope.from).toMatchObject({ did: user.did, host: near.root.handle.host })
      expect(envelope.from.inbox).toMatch(/^user-\d+$/)
      expect(envelope.replyTo).toBe(`/private/user/${envelope.from.inbox.slice('user-'.length)}`)
    }
    const [first, second] = envelopes
    expect(first?.payload).toEqual(utf8('{"big":9223372036854775808,"text":"\\u003c"}'))
    expect(second?.payload).toEqual(new Uint8Array())
    expect(first?.from.id).toBe(second?.from.id)
    expect(first?.from.inbox).not.toBe(second?.from.inbox)
    expect(first?.nonce).not.toBe(second?.nonce)
    const other = createSession({
      client: gateway.client,
      context: createContext({ signer: user }),
      clock: gateway.clock,
      random: systemRandom
    })
    expect((await other.compose({ kind: 'send', behavior: '/a' })).from.id).not.toBe(first?.from.id)
  })

  test('lives for 30 s, until an instant, or for a time, which wins', async () => {
    const now = gateway.clock.now()
    const expiresAt = toNanos(millis(now + minutes(5))) + 7n
    const at = (after: number) => toNanos(millis(now + after))
    const compose = session.compose
    expect((await compose({ kind: 'send', behavior: '/a' })).expiresAt).toBe(at(seconds(30)))
    expect((await compose({ kind: 'send', behavior: '/a', expiresAt })).expiresAt).toBe(expiresAt)
    expect((await compose({ kind: 'send', behavior: '/a', expiresAt, timeout: seconds(1) })).expiresAt).toBe(at(seconds(1)))
  })

  test('lets the receiver answer to its reply path only when it has one', async () => {
    const delegated = (envelope: Envelope): unknown =>
      tokensOf(envelope)
        .filter(({ action }) => action === 'delegate')
        .map(({ capabilities }) => capabilities)
    const invoked = await session.compose({ kind: 'invoke', behavior: '/a' })
    expect(delegated(invoked)).toEqual([[invoked.replyTo]])
    const sent = await session.compose({ kind: 'send', behavior: '/a' })
    expect(sent.replyTo).toBe('')
    expect(delegated(sent)).toEqual([])
    const explicit = await session.compose({ kind: 'send', behavior: '/a', replyTo: '/private/here' })
    expect(explicit.replyTo).toBe('/private/here')
    expect(delegated(explicit)).toEqual([['/private/here']])
  })

  test('for everybody names its topic and a public reply path', async () => {
    const envelope = await session.compose({ kind: 'broadcast', behavior: '/broadcast/test', topic: TEST_TOPIC })
    expect(envelope.to).toEqual(EMPTY_HANDLE)
    expect(envelope.topic).toBe(TEST_TOPIC)
    expect(envelope.replyTo).toBe(`/public/user/${envelope.from.inbox.slice('user-'.length)}`)
    expect(tokensOf(envelope).map(({ action, topics }) => [action, topics])).toEqual([['broadcast', [TEST_TOPIC]]])
  })
})

describe('an invocation', () => {
  test('fails with the error of the behaviour', async () => {
    const failure = await session
      .invoke({ behavior: '/test/fail', destination: gateway.far.root.handle.did })
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(RemoteError)
    expect(failure).toMatchObject({ code: 'TEST_FAILED', kind: 'conflict', message: 'something is in the way' })
  })

  test('fails with both texts that clients search when no reply comes', async () => {
    const waiting = session.invoke({ behavior: '/test/silent', destination: gateway.far.root.handle.did, timeout: seconds(60) })
    await eventually(() => gateway.clock.waiting().includes(seconds(60)))
    gateway.clock.advance(seconds(60))
    await expect(waiting).rejects.toMatchObject({
      message: 'request failed with status 408: request timeout',
      kind: 'timeout'
    })
  })

  test('can be given up', async () => {
    const stop = new AbortController()
    const waiting = session.invoke({ behavior: '/test/silent' }, { signal: stop.signal })
    await eventually(() => gateway.clock.waiting().length > 0)
    stop.abort()
    await expect(waiting).rejects.toMatchObject({ kind: 'cancelled' })
    await eventually(() => gateway.clock.waiting().length === 0)
  })

  test('gives the payload of the reply', async () => {
    const destination = gateway.far.root.handle.did
    const payload = { n: 2n ** 64n - 1n, list: ['<ä>', null, true] }
    expect(encodeGoJson(await session.invoke({ behavior: '/test/echo', destination, payload }))).toBe(encodeGoJson(payload))
    expect(await session.invoke({ behavior: '/test/echo', destination })).toBeNull()
  })

  test('of the own node works too, several at once', async () => {
    const replies = await Promise.all([1, 2, 3].map((payload) => session.invoke({ behavior: '/test/echo', payload })))
    expect(replies).toEqual([1, 2, 3])
  })
})

test('a sending gives the answer of the node', async () => {
  expect(await session.send({ behavior: '/test/echo' })).toEqual({ message: 'message sent' })
})

test('a broadcast gives the payloads of all replies when it expires', async () => {
  const { clock, network, near } = gateway
  const host = network.host(near.root.handle.host)
  const waiting = session.broadcast({ behavior: '/broadcast/test', topic: TEST_TOPIC, payload: 'hi', timeout: seconds(5) })
  await eventually(() => host.stats().framesReceived > 0)
  clock.advance(seconds(5))
  expect(await waiting).toEqual(['hi'])
})
