import { beforeEach, describe, expect, test } from 'vitest'
import { CancelledError, type Clock, mebibytes, millis, seconds, toNanos, utf8 } from '../base/index.ts'
import { createVerifier, generateKeyPair, type KeyPair } from '../identity/index.ts'
import { type Envelope, encodeEnvelope, signedBytes } from './envelope.ts'
import { InboxTakenError } from './errors.ts'
import { EMPTY_HANDLE, handleOf } from './handle.ts'
import { createRelay, type Relay } from './relay.ts'
import type { MessageTransport } from './transport.ts'

const NOW = millis(1_770_000_000_000)
const node = generateKeyPair()
const client = generateKeyPair()
const far = generateKeyPair()
const request = {
  to: EMPTY_HANDLE,
  behavior: '/broadcast/test',
  from: handleOf(client, client.did, node.peerId, 'user-1'),
  nonce: 1n,
  expiresAt: toNanos(millis(NOW + seconds(30))),
  replyTo: '/private/user/1',
  topic: '/nunet/test',
  payload: null,
  capabilities: new Uint8Array()
}

async function seal(key: KeyPair, message: Omit<Envelope, 'signature'>): Promise<Envelope> {
  const unsigned = { ...message, signature: new Uint8Array() }
  return { ...unsigned, signature: await key.sign(signedBytes(unsigned)) }
}

/** A reply of a fresh key, unless it is given, at a peer. */
async function replyFrom(peer: string, { key = generateKeyPair(), payload = utf8('"hi"') } = {}): Promise<Uint8Array> {
  const reply = await seal(key, {
    ...request,
    to: request.from,
    behavior: request.replyTo,
    from: handleOf(key, key.did, peer, 'root'),
    replyTo: '',
    topic: '',
    payload
  })
  return utf8(encodeEnvelope(reply))
}

let hear: (frame: Uint8Array, from: string) => void
let goOn: () => void
let sent: number
let checks: number
let relay: Relay

const transport: MessageTransport = {
  peerId: node.peerId,
  async send() {
    sent += 1
  },
  listen(_inbox, listener) {
    hear = listener
    return () => undefined
  },
  async publish() {
    sent += 1
  },
  subscribe: async () => async () => undefined
}

/** Stands until `goOn` is called. */
const clock: Clock = {
  now: () => NOW,
  sleep: (_duration, { signal } = {}) =>
    new Promise((resolve, reject) => {
      goOn = resolve
      signal?.addEventListener('abort', () => reject(new CancelledError('sleep was cancelled')))
    })
}

function createTestRelay(overrides: Partial<MessageTransport> = {}): Relay {
  const verifier = createVerifier()
  const used = { ...transport, ...overrides }
  return createRelay({
    transport: used,
    deliver: ({ to }, frame) => used.send(to.host, to.inbox, frame),
    clock,
    ownPeer: node.peerId,
    verifier: {
      verifyByActorId(...given) {
        checks += 1
        return verifier.verifyByActorId(...given)
      }
    }
  })
}

beforeEach(() => {
  sent = 0
  checks = 0
  relay = createTestRelay()
})

describe('an invocation', () => {
  test('is not sent when the inbox for its reply is taken', async () => {
    const taken = createTestRelay({
      listen() {
        throw new InboxTakenError('the inbox has a listener already')
      }
    })
    const invocation = await seal(client, { ...request, to: handleOf(far, far.did, far.peerId, 'root'), topic: '' })
    await expect(taken.relayInvoke(invocation)).rejects.toThrow(InboxTakenError)
    expect(sent).toBe(0)
  })
})

describe('the replies to a broadcast', () => {
  /** What is collected of such frames. */
  async function collect(frames: readonly (readonly [Uint8Array, string])[]): Promise<readonly Envelope[]> {
    const collected = relay.relayBroadcast(await seal(client, request))
    checks = 0
    for (const [frame, peer] of frames) hear(frame, peer)
    await new Promise((resolve) => setImmediate(resolve))
    goOn()
    return collected
  }

  test('are eight of one peer at most, and no more signatures are checked for it', async () => {
    const frames: [Uint8Array, string][] = []
    for (let count = 0; count < 12; count += 1) frames.push([await replyFrom('peer-a'), 'peer-a'])
    frames.push([await replyFrom('peer-b'), 'peer-b'])
    expect(await collect(frames)).toHaveLength(9)
    expect(checks).toBe(9)
  })

  test('cost a peer as much when they are forged', async () => {
    const forged = new TextDecoder().decode(await replyFrom('peer-a')).replace('"nonce":1', '"nonce":2')
    const frames = Array.from({ length: 12 }, (): [Uint8Array, string] => [utf8(forged), 'peer-a'])
    expect(await collect(frames)).toEqual([])
    expect(checks).toBe(8)
  })

  test('hold 32 MiB at most', async () => {
    const frames: [Uint8Array, string][] = []
    const payload = new Uint8Array(700_000)
    for (let count = 0; count < 40; count += 1) frames.push([await replyFrom(`peer-${count}`, { payload }), `peer-${count}`])
    const [[frame] = [new Uint8Array()]] = frames
    const replies = await collect(frames)
    expect(replies).toHaveLength(Math.floor(mebibytes(32) / frame.length))
    expect(checks).toBe(replies.length)
  })

  test('are the first of each sender', async () => {
    const first = await replyFrom('peer-a', { key: far, payload: utf8('1') })
    const second = await replyFrom('peer-a', { key: far, payload: utf8('2') })
    const replies = await collect([
      [first, 'peer-a'],
      [second, 'peer-a']
    ])
    expect(replies.map(({ payload }) => payload)).toEqual([utf8('1')])
    expect(checks).toBe(1)
  })
})
