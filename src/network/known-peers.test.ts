import type { IdentifyResult } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, test } from 'vitest'
import { addressOf, createLoopbackHost, eventually } from '../../test/support/network-hosts.ts'
import { millis, silentLogger, systemClock } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { parsePeerId } from './addresses.ts'
import type { NetworkHost, NetworkHostOptions } from './index.ts'
import {
  createKnownPeers,
  type KnownPeers,
  NO_STORAGE,
  type PeerStorage,
  type RememberedPeer,
  rememberedPeersCodec
} from './known-peers.ts'

const self = parsePeerId(generateKeyPair().peerId)

function createKnown(storage: PeerStorage = NO_STORAGE): KnownPeers {
  let now = 0
  const clock = {
    ...systemClock,
    now: () => {
      now += 1
      return millis(now)
    }
  }
  return createKnownPeers({ self, storage, isConnected: () => false, clock, log: silentLogger })
}

function identified(
  peer: string,
  listen: readonly string[],
  { direction = 'inbound', remote = '/ip4/10.0.0.9/tcp/50000' }: { direction?: 'inbound' | 'outbound'; remote?: string } = {}
): IdentifyResult {
  const connection = { direction, remoteAddr: multiaddr(remote) }
  return {
    peerId: parsePeerId(peer),
    listenAddrs: listen.map((text) => multiaddr(text)),
    connection
  } as unknown as IdentifyResult
}

function texts(known: KnownPeers): string[] {
  return known.targets().map(({ peer, addresses }) => `${peer} ${addresses.join(' ')}`)
}

describe('a known peer', () => {
  test('is never this node itself, nor one without an address or behind a relay only', () => {
    const known = createKnown()
    const peer = generateKeyPair().peerId
    known.identified(identified(self.toString(), ['/ip4/10.0.0.1/tcp/9000']))
    known.identified(identified(peer, []))
    known.identified(identified(peer, [`/ip4/8.8.8.8/tcp/9000/p2p/${self}/p2p-circuit`]))
    expect(texts(known)).toEqual([])
  })

  test('that was dialled is tried first, at the address that worked', () => {
    const known = createKnown()
    const [claimed, dialled] = [generateKeyPair().peerId, generateKeyPair().peerId]
    known.identified(
      identified(dialled, ['/ip4/10.0.0.2/tcp/9000'], { direction: 'outbound', remote: `/ip4/10.0.0.3/tcp/9000/p2p/${dialled}` })
    )
    known.identified(identified(claimed, ['/ip4/10.0.0.4/tcp/9000']))
    expect(texts(known)).toEqual([
      `${dialled} /ip4/10.0.0.3/tcp/9000 /ip4/10.0.0.2/tcp/9000`,
      `${claimed} /ip4/10.0.0.4/tcp/9000`
    ])
  })

  test('that was dialled is not pushed out by any number of peers that came by themselves', () => {
    const known = createKnown()
    const dialled = generateKeyPair().peerId
    known.identified(identified(dialled, [], { direction: 'outbound', remote: '/ip4/10.0.0.3/tcp/9000' }))
    for (let index = 0; index < 100; index += 1) {
      known.identified(
        identified(
          generateKeyPair().peerId,
          Array.from({ length: 30 }, (_, port) => `/ip4/10.0.0.4/tcp/${port + 1}`)
        )
      )
    }
    expect(known.targets()).toHaveLength(17)
    expect(known.targets()[0]?.peer.toString()).toBe(dialled)
    expect(Math.max(...known.targets().map(({ addresses }) => addresses.length))).toBe(8)
  })
})

describe('what is kept', () => {
  test('that cannot be read costs only a warning', async () => {
    const known = createKnown({ ...NO_STORAGE, load: () => Promise.reject(new Error('damaged')) })
    await known.load()
    expect(texts(known)).toEqual([])
  })

  test('is read leniently: what is no peer is left out', async () => {
    const good: RememberedPeer = {
      peer: generateKeyPair().peerId,
      addresses: ['/ip4/10.0.0.1/tcp/1'],
      seen: millis(5),
      dialled: true
    }
    const wire = [1, null, { peer: 'x' }, { ...good, addresses: [1] }, good, { ...good, peer: 'nonsense' }]
    const decoded = rememberedPeersCodec.decode(wire)
    if (!decoded.ok) throw new Error('it was refused')
    const known = createKnown({ ...NO_STORAGE, load: async () => decoded.value })
    await known.load()
    expect(texts(known)).toEqual([`${good.peer} /ip4/10.0.0.1/tcp/1`])
    expect(rememberedPeersCodec.decode({}).ok).toBe(false)
    expect(rememberedPeersCodec.encode([good])).toEqual([good])
  })
})

describe('a host that was restarted', () => {
  const hosts: NetworkHost[] = []

  async function started(options: Partial<NetworkHostOptions> = {}): Promise<NetworkHost> {
    const host = createLoopbackHost(options)
    hosts.push(host)
    await host.start()
    return host
  }

  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.stop()
  })

  test('goes back to the peers it knew, though its bootstrap peer is gone', async () => {
    let kept: readonly RememberedPeer[] = []
    const knownPeers: PeerStorage = {
      load: async () => kept,
      save: async (peers) => {
        kept = peers
      }
    }
    const privateKey = generateKeyPair().exportPrivate()
    const [bootstrap, friend] = [await started(), await started()]
    const options = { privateKey, knownPeers, bootstrap: [addressOf(bootstrap)] }
    const host = createLoopbackHost(options)
    hosts.push(host)
    const met = new Set<string>()
    host.onPeer(({ peer }) => met.add(peer))
    await host.start()
    await host.connect(addressOf(friend))
    await eventually(() => met.size === 2)
    await host.stop()
    expect(kept.map(({ peer }) => peer).sort()).toEqual([bootstrap.peerId, friend.peerId].sort())

    await bootstrap.stop()
    const again = await started(options)
    await eventually(() => again.isConnected(friend.peerId))
  })
})
