import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { beforeEach, expect, test } from 'vitest'
import { seconds } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { createVirtualClock, type VirtualClock } from '../testing/index.ts'
import type { NodeInternals } from './internals.ts'
import type { Node } from './libp2p-node.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { createReach, type Reach } from './reach.ts'

/** A node whose search for a peer takes for ever. */
class SearchingNode extends EventTarget {
  readonly connections: Connection[] = []
  searches = 0
  endedSearches = 0
  readonly peerStore = { has: () => Promise.resolve(false) }
  readonly peerRouting = {
    findPeer: (_peer: PeerId, { signal }: { readonly signal: AbortSignal }) => {
      this.searches += 1
      signal.addEventListener('abort', () => {
        this.endedSearches += 1
      })
      return new Promise(() => undefined)
    }
  }

  getConnections(): Connection[] {
    return this.connections
  }

  getPeers(): string[] {
    return ['somebody']
  }

  meet(): void {
    this.connections.push({ status: 'open' } as Connection)
    this.dispatchEvent(new Event('peer:connect'))
  }
}

const peer = peerIdFromPrivateKey(privateKeyFromProtobuf(generateKeyPair().exportPrivate()))

let clock: VirtualClock
let node: SearchingNode
let reach: Reach

beforeEach(() => {
  clock = createVirtualClock()
  node = new SearchingNode()
  reach = createReach({
    node: node as unknown as Node,
    internals: {} as NodeInternals,
    clock,
    limits: DEFAULT_LIMITS,
    stopping: new AbortController().signal
  })
})

test('a peer that is not found is unreachable, and the reason says what was tried', async () => {
  const found = clock.run(reach.connection(peer, new AbortController().signal))
  await expect(found).rejects.toThrow(/no address of it is known;.* asked the DHT: the lookup did not finish within 3000 ms/)
})

test('a peer that connects by itself ends the search for it', async () => {
  const found = clock.run(reach.connection(peer, new AbortController().signal))
  await clock.run(clock.sleep(seconds(1)))
  expect(node.searches).toBe(1)
  node.dispatchEvent(new Event('peer:connect')) // somebody else's
  node.meet()
  expect(await found).toBe(node.connections[0])
  expect(node.endedSearches).toBe(1)
})
