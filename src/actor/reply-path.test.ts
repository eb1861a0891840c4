import { describe, expect, test } from 'vitest'
import { type Codec, ok, silentLogger, systemClock, systemRandom, utf8 } from '../base/index.ts'
import { generateKeyPair, type KeyPair } from '../identity/index.ts'
import { createMemoryNetwork } from '../testing/index.ts'
import { createContext } from '../ucan/index.ts'
import type { Behavior } from './behavior.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope, signedBytes } from './envelope.ts'
import { handleOf, ROOT_INBOX } from './handle.ts'
import { createActorSystem } from './system.ts'
import type { ActorSystem, Counters } from './types.ts'

const anything: Codec<unknown> = { decode: (value) => ok(value), encode: (value) => value }
const ask: Behavior<unknown, unknown> = { name: '/test/ask', request: anything, reply: anything }
const tell: Behavior<unknown, unknown> = { name: '/test/tell', request: anything, reply: anything }

interface Node {
  readonly key: KeyPair
  readonly actors: ActorSystem
  /** What it sent, oldest first. */
  readonly sent: Envelope[]
  /** Puts a frame on the network as this node. */
  send(to: Node, frame: Uint8Array): Promise<void>
  counted(name: string): number
}

function createCounters(): Counters {
  const counts: Record<string, number> = {}
  return {
    increment(name, by = 1) {
      counts[name] = (counts[name] ?? 0) + by
    },
    snapshot: () => counts
  }
}

/** Two nodes that trust each other; `keptStreams` says whether they are of this implementation. */
async function startNodes(keptStreams: boolean): Promise<readonly [Node, Node, Node]> {
  const network = createMemoryNetwork({ keptStreams })
  const keys = [generateKeyPair(), generateKeyPair(), generateKeyPair()] as const
  const start = async (key: KeyPair): Promise<Node> => {
    const host = network.host(key.peerId)
    const sent: Envelope[] = []
    const counters = createCounters()
    const actors = createActorSystem({
      key,
      context: createContext({
        signer: key,
        anchors: { roots: keys.map(({ did }) => did), require: [], provide: [], revoke: [] }
      }),
      transport: {
        ...host,
        async send(peer, inbox, frame, options) {
          const envelope = decodeEnvelope(frame)
          if (envelope.ok) sent.push(envelope.value)
          await host.send(peer, inbox, frame, options)
        }
      },
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
      counters
    })
    await host.start()
    await actors.start()
    actors.serve()
    return {
      key,
      actors,
      sent,
      send: (to, frame) => host.send(to.key.peerId, ROOT_INBOX, frame),
      counted: (name) => counters.snapshot()[name] ?? 0
    }
  }
  const nodes = [await start(keys[0]), await start(keys[1]), await start(keys[2])] as const
  for (const a of keys) for (const b of keys) network.link(a.peerId, b.peerId)
  return nodes
}

const tokensIn = ({ capabilities }: Envelope): string => Buffer.from(capabilities).toString()

/** An envelope without tokens, signed by the root actor of a node. */
async function forge(from: Node, to: Node, behavior: string, nonce: bigint): Promise<Uint8Array> {
  const unsigned: Envelope = {
    to: handleOf(to.key, to.key.did, to.key.peerId, ROOT_INBOX),
    behavior,
    from: handleOf(from.key, from.key.did, from.key.peerId, ROOT_INBOX),
    nonce,
    expiresAt: BigInt(systemClock.now() + 10_000) * 1_000_000n,
    replyTo: '',
    topic: '',
    payload: utf8('"forged"'),
    capabilities: new Uint8Array(),
    signature: new Uint8Array()
  }
  return utf8(encodeEnvelope({ ...unsigned, signature: await from.key.sign(signedBytes(unsigned)) }))
}

async function eventually(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !condition(); turn += 1) await new Promise((resolve) => setImmediate(resolve))
  expect(condition()).toBe(true)
}

describe('an answer without tokens', () => {
  test('is refused from anybody but the actor asked, and after the answer came', async () => {
    const [asker, asked, stranger] = await startNodes(true)
    let path = ''
    asked.actors.root.on(ask, async (_, { replyTo }) => {
      path = replyTo
      await stranger.send(asker, await forge(stranger, asker, path, 1n))
      await eventually(() => asker.counted('messages.refused.not-authorized') === 1)
      return 'the answer'
    })
    expect(await asker.actors.root.invoke(asked.actors.root.handle, ask, null)).toBe('the answer')
    await asked.send(asker, await forge(asked, asker, path, 2n))
    await eventually(() => asker.counted('messages.refused.not-authorized') === 2)
  })

  test('is refused on a path that nobody waits on, from the actor asked too', async () => {
    const [asker, asked] = await startNodes(true)
    let path = ''
    asked.actors.root.on(ask, async (_, { replyTo }) => {
      path = replyTo
      await asked.send(asker, await forge(asked, asker, `${path}0`, 1n))
      await asked.send(asker, await forge(asked, asker, tell.name, 2n))
      await eventually(() => asker.counted('messages.refused.not-authorized') === 2)
      return 'the answer'
    })
    asker.actors.root.on(tell, () => Promise.reject(new Error('it must not run')))
    expect(await asker.actors.root.invoke(asked.actors.root.handle, ask, null)).toBe('the answer')
  })

  test('is what nodes of this implementation give each other, and they ask for no more', async () => {
    const [asker, asked] = await startNodes(true)
    asked.actors.root.on(ask, async () => 'the answer')
    expect(await asker.actors.root.invoke(asked.actors.root.handle, ask, null)).toBe('the answer')
    expect(tokensIn(asker.sent[0] as Envelope)).toContain('"act":"invoke"')
    expect(tokensIn(asker.sent[0] as Envelope)).not.toContain('"act":"delegate"')
    expect(tokensIn(asked.sent[0] as Envelope)).toBe('')
  })
})

test('another implementation gets all tokens: the grant for the answer with the request, and the tokens with the answer', async () => {
  const [asker, asked] = await startNodes(false)
  asked.actors.root.on(ask, async () => 'the answer')
  expect(await asker.actors.root.invoke(asked.actors.root.handle, ask, null)).toBe('the answer')
  expect(tokensIn(asker.sent[0] as Envelope)).toContain('"act":"delegate"')
  expect(tokensIn(asked.sent[0] as Envelope)).toContain('"act":"invoke"')
})

test('a reply to a behaviour that stays carries tokens, whoever gets it', async () => {
  const [asker, asked] = await startNodes(true)
  const heard: unknown[] = []
  asker.actors.root.on(tell, async (payload) => void heard.push(payload))
  asked.actors.root.on(ask, async () => 'the answer')
  await asker.actors.root.send(asked.actors.root.handle, ask, null, { replyTo: tell.name })
  await eventually(() => heard.length === 1)
  expect(tokensIn(asker.sent[0] as Envelope)).toContain('"act":"delegate"')
  expect(tokensIn(asked.sent[0] as Envelope)).toContain('"act":"invoke"')
})
