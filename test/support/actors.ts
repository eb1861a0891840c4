import {
  type ActorLimits,
  type ActorSystem,
  type Behavior,
  createActorSystem,
  type Envelope,
  type ReplayJournal
} from '../../src/actor/index.ts'
import { type Clock, type JsonValue, ok, silentLogger, systemRandom, type Turns } from '../../src/base/index.ts'
import { type Client, createSession, type Session } from '../../src/client/index.ts'
import { generateKeyPair, type KeyPair } from '../../src/identity/index.ts'
import { createCounters } from '../../src/telemetry/index.ts'
import type { MemoryNetwork } from '../../src/testing/index.ts'
import { type CapabilityContext, createContext } from '../../src/ucan/index.ts'

/** The actors of one node with an owner, on a memory network; nothing of the DMS behind them. */
export interface TestActors {
  readonly actors: ActorSystem
  readonly key: KeyPair
  /** The root anchor of the node. */
  readonly owner: KeyPair
  readonly context: CapabilityContext
  readonly counters: ReturnType<typeof createCounters>
  /** A client on the machine of the node, with the rights of a key. */
  client(user: KeyPair): Session
  stop(): Promise<void>
}

/** How {@link startActors} starts a node. */
export interface TestActorsOptions {
  readonly key?: KeyPair
  readonly owner?: KeyPair
  readonly turns?: Turns
  readonly limits?: Partial<ActorLimits>
  readonly journal?: ReplayJournal
}

/** Starts the actors of a node on the host of its key. */
export async function startActors(network: MemoryNetwork, clock: Clock, options: TestActorsOptions = {}): Promise<TestActors> {
  const { key = generateKeyPair(), owner = generateKeyPair(), turns, limits, journal } = options
  const context = createContext({ signer: key })
  context.anchor({ kind: 'root', did: owner.did }, clock.now())
  const host = network.host(key.peerId)
  const counters = createCounters()
  const actors = createActorSystem({
    key,
    context,
    transport: host,
    clock,
    random: systemRandom,
    log: silentLogger,
    counters,
    ...(turns === undefined ? {} : { turns }),
    ...(limits === undefined ? {} : { limits }),
    ...(journal === undefined ? {} : { journal })
  })
  await actors.start()
  await host.start()
  actors.serve()
  return {
    actors,
    key,
    owner,
    context,
    counters,
    client: (user) =>
      createSession({ client: clientOf(actors), context: createContext({ signer: user }), clock, random: systemRandom }),
    async stop() {
      await actors.stop()
      await host.stop()
    }
  }
}

/** What a client reaches over REST, without HTTP. */
function clientOf(actors: ActorSystem): Client {
  return {
    handle: () => Promise.resolve(actors.root.handle),
    async send(envelope) {
      await actors.relaySend(envelope)
      return null
    },
    invoke: (envelope: Envelope) => actors.relayInvoke(envelope),
    broadcast: (envelope: Envelope) => actors.relayBroadcast(envelope),
    events: () => Promise.reject(new Error('there are no streams without HTTP'))
  }
}

/** A behaviour for tests: JSON in, JSON out. */
export function testBehavior(name: string, topic?: string): Behavior<JsonValue, JsonValue> {
  const json = { decode: (wire: unknown) => ok(wire as JsonValue), encode: (value: JsonValue) => value }
  return { name, request: json, reply: json, ...(topic === undefined ? {} : { topic }) }
}
