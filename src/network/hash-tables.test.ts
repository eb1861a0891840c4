import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { afterEach, describe, expect, test } from 'vitest'
import { type Clock, fromUtf8, millis, minutes, silentLogger, systemClock, systemRandom, utf8 } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { createBoard } from './advertisements/board.ts'
import { createDiscovery } from './discovery.ts'
import { hashTablesOf } from './hash-tables.ts'
import { createInternals } from './internals.ts'
import { createNode, type Node } from './libp2p-node.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { createReach } from './reach.ts'

describe('in a network of three', () => {
  const nodes: Node[] = []
  const keys = new Map<Node, PrivateKey>()

  async function started(): Promise<Node> {
    const privateKey = privateKeyFromProtobuf(generateKeyPair().exportPrivate())
    const node = await createNode({
      privateKey,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      limits: DEFAULT_LIMITS,
      peerScore: () => 0
    })
    nodes.push(node)
    keys.set(node, privateKey)
    await node.start()
    return node
  }

  function unknownNode(): never {
    throw new Error('the node has no key')
  }

  /** A peer is asked only after it proved to answer, some time after it connected. */
  async function hasNeighbour(node: Node): Promise<void> {
    for (;;) {
      for await (const _peer of node.peerRouting.getClosestPeers(node.peerId.toMultihash().bytes)) return
      await systemClock.sleep(millis(5))
    }
  }

  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop()
  })

  /** Three nodes, of which the last two know only the first. */
  async function startThree(): Promise<readonly [Node, Node, Node]> {
    const [middle, first, second] = [await started(), await started(), await started()]
    for (const node of [first, second]) {
      await node.dial(middle.getMultiaddrs())
      await hasNeighbour(node)
    }
    return [middle, first, second]
  }

  test('one node reads what another one says, and not what it took back', async () => {
    const [, first, second] = await startThree()
    let now = systemClock.now()
    const board = (node: Node) =>
      createBoard({
        self: node.peerId,
        privateKey: keys.get(node) ?? unknownNode(),
        namespace: 'nunet-dht-1',
        tables: hashTablesOf(node),
        clock: { ...systemClock, now: () => now },
        log: silentLogger
      })
    const { signal } = new AbortController()
    const speaker = board(first)
    await speaker.advertise('relay', utf8('here'), signal)
    expect((await board(second).query('relay', signal)).map(({ data }) => fromUtf8(data))).toEqual(['here'])
    now = millis(now + 2000)
    await speaker.unadvertise('relay', signal)
    expect(await board(second).query('relay', signal)).toEqual([])
  })

  test('two nodes that know only a third one find each other', async () => {
    const [, first, second] = await startThree()
    const discovery = (node: Node, clock: Clock) =>
      createDiscovery({
        self: node.peerId,
        rendezvous: 'nunet-test',
        tables: hashTablesOf(node),
        reach: createReach({
          node,
          internals: createInternals(node.services.parts),
          clock: systemClock,
          limits: DEFAULT_LIMITS,
          stopping: new AbortController().signal
        }),
        isConnected: (peer) => node.getConnections(peer).length > 0,
        connected: () => node.getPeers().length,
        random: systemRandom,
        log: silentLogger,
        clock
      })
    const stopping = new AbortController()
    await discovery(first, systemClock).advertise(stopping.signal)
    let sleeps = 0
    const clock: Clock = {
      now: systemClock.now,
      async sleep(duration, options) {
        if (duration === minutes(15)) stopping.abort()
        else if (sleeps > 0) return systemClock.sleep(duration, options)
        sleeps += 1
      }
    }
    await discovery(second, clock).run(stopping.signal)
    expect(second.getConnections(first.peerId)).toHaveLength(1)
  })
})
