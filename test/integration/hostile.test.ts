import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Envelope,
  encodeEnvelope,
  handleOf,
  MAX_ENVELOPE_BYTES,
  parseDestination,
  signedBytes
} from '../../src/actor/index.ts'
import { fromUtf8, hours, type JsonValue, millis, minutes, parseJson, seconds, toNanos, utf8 } from '../../src/base/index.ts'
import { generateKeyPair, type KeyPair } from '../../src/identity/index.ts'
import { bidRequest, hello } from '../../src/protocol/index.ts'
import { type Cluster, type ClusterNode, createCluster, createVirtualClock, type VirtualClock } from '../../src/testing/index.ts'
import {
  createContext,
  encodeTokenList,
  parseTokenList,
  type Token,
  signedBytes as tokenSignedBytes
} from '../../src/ucan/index.ts'
import { rootOf } from '../support/root-of.ts'

/** A machine of an attacker: a peer of the network with keys of its own, that writes frames by hand. */
interface Attacker {
  readonly key: KeyPair
  readonly replies: Uint8Array[]
  seal(changes: Partial<Envelope>, tokens?: readonly Token[] | string): Promise<Envelope>
  send(envelope: Envelope | Uint8Array): Promise<void>
}

describe('a node under attack', () => {
  let clock: VirtualClock
  let cluster: Cluster
  let node: ClusterNode
  let friend: ClusterNode
  let stranger: Attacker

  beforeEach(async () => {
    clock = createVirtualClock()
    cluster = await createCluster(clock)
    node = await cluster.start()
    friend = await cluster.start()
    await cluster.trust(node, friend)
    await cluster.trust(friend, node)
    stranger = await attacker()
  })

  afterEach(async () => {
    await clock.run(cluster.dispose())
  })

  async function attacker(key = generateKeyPair()): Promise<Attacker> {
    const host = cluster.network.host(key.peerId)
    await host.start()
    cluster.network.link(key.peerId, node.key.peerId)
    const replies: Uint8Array[] = []
    host.listen('root', (frame) => {
      // The node greets every peer after a while; only answers count here.
      if (fromUtf8(frame).includes('"be":"/private/user/1"')) replies.push(frame)
    })
    let nonce = 1n
    return {
      key,
      replies,
      async seal(changes, tokens = []) {
        nonce += 1n
        const list = typeof tokens === 'string' ? tokens : encodeTokenList(tokens)
        const unsigned: Envelope = {
          to: rootOf(node),
          behavior: hello.name,
          from: handleOf(key, key.did, key.peerId, 'root'),
          nonce,
          expiresAt: toNanos(millis(clock.now() + seconds(30))),
          replyTo: '/private/user/1',
          topic: '',
          payload: new Uint8Array(),
          capabilities: list === '{}' ? new Uint8Array() : utf8(list),
          signature: new Uint8Array(),
          ...changes
        }
        return { ...unsigned, signature: await key.sign(signedBytes(unsigned)) }
      },
      send: (envelope) =>
        host.send(node.key.peerId, 'root', envelope instanceof Uint8Array ? envelope : utf8(encodeEnvelope(envelope)))
    }
  }

  /** A self-issued invocation by which the attacker claims the behaviour. */
  function invocation(key: KeyPair, behavior: string, extra: { readonly expiresAt?: bigint } = {}): Promise<Token> {
    const context = createContext({ signer: key })
    const expiresAt = extra.expiresAt ?? toNanos(millis(clock.now() + minutes(1)))
    return context
      .present({
        target: node.key.did,
        subject: key.actorId,
        audience: node.key.actorId,
        expiresAt,
        invoke: [behavior],
        now: clock.now()
      })
      .then(([token]) => {
        if (token === undefined) throw new Error('no token')
        return token
      })
  }

  async function refused(reason: string, frame: Envelope | Uint8Array): Promise<void> {
    const before = node.counters.snapshot()[`messages.refused.${reason}`] ?? 0
    await clock.run(stranger.send(frame).catch(() => undefined))
    await clock.run(clock.sleep(seconds(1)))
    expect(node.counters.snapshot()[`messages.refused.${reason}`] ?? 0, reason).toBe(before + 1)
    expect(stranger.replies).toEqual([])
    await stillServes()
  }

  async function stillServes(): Promise<void> {
    const reply = await clock.run(friend.actors.root.invoke(rootOf(node), hello, null))
    expect(reply.did.uri).toBe(node.key.did)
  }

  test('a stranger with a token of its own gets silence', async () => {
    await refused('not-authorized', await stranger.seal({}, [await invocation(stranger.key, hello.name)]))
  })

  test('a stranger without any token gets silence, also for behaviours that do not exist', async () => {
    await refused('not-authorized', await stranger.seal({}))
    await refused('not-authorized', await stranger.seal({ behavior: '/no/such/thing' }))
  })

  test('a caller that proves a capability, but not this one, learns why it may not', async () => {
    const token = await chained(stranger.key, await grantTo(stranger.key), hello.name)
    await clock.run(stranger.send(await stranger.seal({ behavior: '/dms/node/peers/list' }, [token])))
    await clock.run(clock.sleep(seconds(1)))
    expect(stranger.replies.map(fromUtf8).map((reply) => reply.includes('/private/user/1'))).toEqual([true])
    expect(node.counters.snapshot()['messages.refused.not-authorized']).toBe(1)
  })

  test('a known caller learns that a behaviour does not exist', async () => {
    const call = friend.actors.root.invoke(rootOf(node), { ...hello, name: '/public/nothing' }, null)
    await expect(clock.run(call)).rejects.toMatchObject({ code: 'ACTOR_UNKNOWN_BEHAVIOR', kind: 'not-found' })
  })

  test('a replayed envelope is refused', async () => {
    const frames: Uint8Array[] = []
    const seen = cluster.network.host(friend.key.peerId)
    const original = seen.send
    seen.send = (host, inbox, frame, options) => {
      if (inbox === 'root') frames.push(frame)
      return original.call(seen, host, inbox, frame, options)
    }
    await stillServes()
    seen.send = original
    const [captured] = frames
    if (captured === undefined) throw new Error('nothing captured')
    const before = node.counters.snapshot()
    await clock.run(seen.send(node.key.peerId, 'root', captured))
    await clock.run(clock.sleep(seconds(1)))
    expect(node.counters.snapshot()['messages.refused.replayed']).toBe((before['messages.refused.replayed'] ?? 0) + 1)
  })

  test('a message from another host than it claims is refused', async () => {
    await refused(
      'wrong-host',
      await stranger.seal({ from: handleOf(stranger.key, stranger.key.did, friend.key.peerId, 'root') })
    )
  })

  test('a changed message is refused', async () => {
    await refused('bad-signature', { ...(await stranger.seal({})), payload: utf8('{"a":1}') })
  })

  test('an expired message and one that never expires are refused', async () => {
    await refused('expired', await stranger.seal({ expiresAt: toNanos(clock.now()) - 1n }))
    await refused('expiry-too-far', await stranger.seal({ expiresAt: toNanos(millis(clock.now() + hours(25))) }))
  })

  test('a tampered token is refused', async () => {
    const granted = await grantTo(stranger.key)
    const tampered = { ...granted, capabilities: ['/'] }
    const token = await chained(stranger.key, tampered, '/dms/node/peers/list')
    await refused('not-authorized', await stranger.seal({ behavior: '/dms/node/peers/list' }, [token]))
  })

  test('an expired chain is refused', async () => {
    const granted = await grantTo(stranger.key, toNanos(millis(clock.now() + seconds(5))))
    const token = await chained(stranger.key, granted, hello.name)
    await clock.run(clock.sleep(seconds(10)))
    await refused('not-authorized', await stranger.seal({}, [token]))
  })

  test('a token list with null inside, with unknown members, or too large is refused', async () => {
    await refused('bad-tokens', await stranger.seal({}, '{"tok":[null]}'))
    await refused('bad-tokens', await stranger.seal({}, '{"tok":[{"dms":null}]}'))
    await refused('bad-tokens', await stranger.seal({}, `{"tok":[]${' '.repeat(17_000)}}`))
  })

  test('text that is no envelope is refused', async () => {
    await refused('malformed', utf8('{'))
    await refused('malformed', utf8('[]'))
    await refused('malformed', utf8('['.repeat(100_000)))
    await refused('malformed', utf8('{"to":{},"to":{}}'))
  })

  test('an oversized frame never arrives', async () => {
    await expect(clock.run(stranger.send(new Uint8Array(MAX_ENVELOPE_BYTES + 1)))).rejects.toThrow()
    await stillServes()
  })

  test('a bid request without its body is counted and ignored', async () => {
    const request = { id: 'a'.repeat(64), nonce: 1, request: [{ v1: undefined }, { v1: undefined }], peerExclusion: [] }
    await clock.run(friend.actors.root.send(rootOf(node), bidRequest, request, { replyTo: '/dms/deployment/bid' }))
    await clock.run(clock.sleep(seconds(1)))
    expect(node.counters.snapshot()['bids.refused.no-body']).toBe(2)
    await stillServes()
  })

  test('a request that does not fit its behaviour is answered with what is wrong', async () => {
    const list: JsonValue = { id: 5 }
    const bad = { ...bidRequest, request: { decode: bidRequest.request.decode, encode: () => list } }
    const call = friend.actors.root.invoke(rootOf(node), bad, { id: '', nonce: 0, request: [], peerExclusion: [] })
    await expect(clock.run(call)).rejects.toThrow('bad request for /dms/deployment/request: id: must be a text')
  })

  test('a destination can be written as did, peer id or handle', () => {
    for (const destination of [node.key.did, node.key.peerId]) {
      expect(parseDestination(destination, parseJson)).toEqual({ ok: true, value: rootOf(node) })
    }
  })

  /** What a capability to call public behaviours looks like when the node's user really gave it. */
  async function grantTo(key: KeyPair, expiresAt = toNanos(millis(clock.now() + hours(1)))): Promise<Token> {
    const owner = createContext({ signer: node.user })
    return owner.grant({ subject: key.did, capabilities: ['/public'], expiresAt })
  }

  async function chained(key: KeyPair, chain: Token, behavior: string): Promise<Token> {
    const unsigned: Token = {
      action: 'invoke',
      issuer: key.did,
      subject: key.did,
      audience: node.key.did,
      topics: [],
      capabilities: [behavior],
      nonce: new Uint8Array(12),
      expiresAt: chain.expiresAt,
      depth: 0n,
      chain,
      signature: new Uint8Array()
    }
    return { ...unsigned, signature: await key.sign(tokenSignedBytes(unsigned)) }
  }

  test('the same chain, untouched and alive, is accepted', async () => {
    const token = await chained(stranger.key, await grantTo(stranger.key), hello.name)
    expect(parseTokenList(encodeTokenList([token])).ok).toBe(true)
    await clock.run(stranger.send(await stranger.seal({}, [token])))
    await clock.run(clock.sleep(seconds(1)))
    expect(node.counters.snapshot()['messages.accepted']).toBe(1)
  })
})
