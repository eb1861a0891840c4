import { beforeEach, describe, expect, test } from 'vitest'
import { type Actor, type Handle, handleOf, rootHandleOf, type VerifiedEnvelope } from '../../actor/index.ts'
import { minutes, silentLogger, systemRandom } from '../../base/index.ts'
import { generateKeyPair, type KeyPair } from '../../identity/index.ts'
import { createVirtualClock, type VirtualClock } from '../../testing/index.ts'
import { createGreeter, type Greeter } from './hello.ts'
import type { PeerDirectory, PeerEvent } from './peers.ts'

describe('the score of a peer', () => {
  let clock: VirtualClock
  let greeter: Greeter
  let connected: Set<string>
  let tell: (event: PeerEvent) => void
  let scoreOf: (peer: string) => number
  let peer: KeyPair

  beforeEach(async () => {
    clock = createVirtualClock()
    connected = new Set()
    peer = generateKeyPair()
    const peers: Pick<PeerDirectory, 'isConnected' | 'onPeer' | 'scorePeersBy'> = {
      isConnected: (id) => connected.has(id),
      onPeer(listener) {
        tell = listener
        return () => undefined
      },
      scorePeersBy(score) {
        scoreOf = score
      }
    }
    const actor: Pick<Actor, 'invoke'> = { invoke: () => Promise.resolve({ did: { uri: '' } } as never) }
    greeter = createGreeter({
      actor: actor as Actor,
      peers: peers as PeerDirectory,
      clock,
      random: systemRandom,
      log: silentLogger
    })
    await greeter.start()
  })

  function rootOf({ publicKey }: KeyPair): Handle {
    const handle = rootHandleOf(publicKey)
    if (!handle.ok) throw new Error('no handle')
    return handle.value
  }

  function hears(from: Handle, isBroadcast = false): void {
    greeter.heard({ from, isBroadcast } as VerifiedEnvelope)
  }

  async function connect(id: string, protocols: readonly string[]): Promise<void> {
    connected.add(id)
    tell({ type: 'identified', peer: id, protocols })
    await clock.run(clock.sleep(minutes(1)))
  }

  const NODE = ['actor/root/messages/0.0.1']

  test('is 0 for what is no DMS, and 1 for one that has not greeted', async () => {
    await connect(peer.peerId, ['/ipfs/ping/1.0.0'])
    expect(scoreOf(peer.peerId)).toBe(0)
    await connect(peer.peerId, NODE)
    expect(scoreOf(peer.peerId)).toBe(1)
  })

  test('is 5 once hellos went both ways, and 0 when the peer is gone', async () => {
    await connect(peer.peerId, NODE)
    hears(rootOf(peer))
    expect(scoreOf(peer.peerId)).toBe(5)
    connected.delete(peer.peerId)
    tell({ type: 'disconnected', peer: peer.peerId })
    expect(scoreOf(peer.peerId)).toBe(0)
    hears(rootOf(peer)) // one that was on the way
    await connect(peer.peerId, NODE)
    expect(scoreOf(peer.peerId)).toBe(1)
  })

  test('is not raised by a hello of somebody who only claims its DID', async () => {
    await connect(peer.peerId, NODE)
    const liar = generateKeyPair()
    hears(handleOf(liar, peer.did, liar.peerId, 'root'))
    hears(handleOf(liar, peer.did, peer.peerId, 'root'))
    expect([scoreOf(peer.peerId), scoreOf(liar.peerId)]).toEqual([1, 0])
  })

  test('is not raised by a client or a child of the peer, nor by a broadcast that came over others', async () => {
    await connect(peer.peerId, NODE)
    hears({ ...rootOf(peer), inbox: 'user-1' })
    hears(handleOf(generateKeyPair(), peer.did, peer.peerId, 'child'))
    hears(rootOf(peer), true)
    expect(scoreOf(peer.peerId)).toBe(1)
  })
})
