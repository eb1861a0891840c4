import { afterEach, describe, expect, test } from 'vitest'
import { addressOf, createLoopbackHost, eventually } from '../../test/support/network-hosts.ts'
import { fromUtf8, type Logger, millis, silentLogger, systemClock, utf8 } from '../base/index.ts'
import { generateKeyPair, keyPairFromSeed } from '../identity/index.ts'
import type { NetworkHost, NetworkHostOptions, PeerEvent } from './index.ts'

const hosts: NetworkHost[] = []

function create(options: Partial<NetworkHostOptions> = {}): NetworkHost {
  const host = createLoopbackHost(options)
  hosts.push(host)
  return host
}

async function started(options: Partial<NetworkHostOptions> = {}): Promise<NetworkHost> {
  const host = create(options)
  await host.start()
  return host
}

function recording(lines: string[]): Logger {
  const write = (message: string): void => void lines.push(message)
  return { ...silentLogger, warn: write, error: write }
}

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop()
})

describe('creating a host', () => {
  test('refuses a key that is none, without showing it', () => {
    expect(() => create({ privateKey: Uint8Array.of(8, 1, 18, 2, 77, 77) })).toThrow(
      expect.objectContaining({ code: 'NETWORK_BAD_KEY', kind: 'invalid', message: lacking('77') })
    )
  })

  test.each([
    ['nonsense', 'is not a multiaddress'],
    ['/ip4/300.0.0.1/tcp/9000', 'is not a multiaddress'],
    ['/ip4/0.0.0.0/tcp/9000/wss', 'must be like /ip4/0.0.0.0/tcp/9000'],
    ['/ip4/0.0.0.0/udp/9000', 'must be like /ip4/0.0.0.0/tcp/9000'],
    ['/ip4/127.0.0.1/tcp/9000/p2p-circuit', 'must be like /ip4/0.0.0.0/tcp/9000'],
    ['/dns4/example.org/tcp/9000', 'must be like /ip4/0.0.0.0/tcp/9000']
  ])('refuses to listen on %s', (address, reason) => {
    expect(() => create({ listen: [address] })).toThrow(
      expect.objectContaining({ code: 'NETWORK_BAD_ADDRESS', kind: 'invalid', message: containing(reason) })
    )
  })

  test('refuses a bootstrap address that names no peer', () => {
    expect(() => create({ bootstrap: ['/ip4/127.0.0.1/tcp/9000'] })).toThrow('must end in /p2p/<peer id>')
  })

  test('has the peer id of the node key before it is started', () => {
    const key = keyPairFromSeed(new Uint8Array(32).fill(7))
    expect(create({ privateKey: key.exportPrivate() }).peerId).toBe(key.peerId)
  })
})

describe('starting and stopping', () => {
  test('says which address is taken', async () => {
    const first = await started()
    const taken = addressOf(first).replace(/\/p2p\/.*/, '')
    await expect(create({ listen: [taken] }).start()).rejects.toMatchObject({
      code: 'NETWORK_LISTEN_FAILED',
      kind: 'conflict',
      message: containing(taken)
    })
  })

  test('tells real addresses instead of 0.0.0.0', async () => {
    const host = await started({ listen: ['/ip4/0.0.0.0/tcp/0'] })
    expect(host.addresses().length).toBeGreaterThan(0)
    for (const address of host.addresses())
      expect(address).toMatch(new RegExp(`^/ip4/(?!0\\.0\\.0\\.0).+/tcp/[1-9]\\d*/p2p/${host.peerId}$`))
  })

  test('refuses to be used before the start and after the stop, but for itself', async () => {
    const host = create()
    const received: string[] = []
    host.listen('root', (frame) => received.push(fromUtf8(frame)))
    const use = async (): Promise<void> => {
      const stranger = generateKeyPair().peerId
      await expect(host.send(stranger, 'root', utf8('x'))).rejects.toMatchObject({ code: 'NETWORK_NOT_RUNNING' })
      await expect(host.publish('/nunet/hello', utf8('x'))).rejects.toMatchObject({ code: 'NETWORK_NOT_RUNNING' })
      expect(host.addresses()).toEqual([])
      expect(host.peers()).toEqual([])
    }
    await use()
    await host.start()
    await host.stop()
    await use()
    await host.send(host.peerId, 'root', utf8('to myself'))
    await eventually(() => received.length === 1)
  })

  test('stops within two seconds while peers hold streams open, and starts again on the same port', async () => {
    const port = addressOf(await started()).match(/tcp\/(\d+)/)?.[1] ?? ''
    await hosts.pop()?.stop()
    const host = await started({ listen: [`/ip4/127.0.0.1/tcp/${port}`] })
    const other = await started()
    const received: string[] = []
    host.listen('root', (frame) => received.push(fromUtf8(frame)))
    await host.subscribe(
      '/nunet/hello',
      (frame) => received.push(fromUtf8(frame)),
      () => 'accept'
    )
    await other.connect(addressOf(host))
    await other.send(host.peerId, 'root', utf8('before'))
    const begin = performance.now()
    await host.stop()
    expect(performance.now() - begin).toBeLessThan(2000)
    await eventually(() => !other.isConnected(host.peerId))
    await host.start()
    await other.connect(addressOf(host))
    await other.send(host.peerId, 'root', utf8('after'))
    await eventually(() => received.includes('after'))
  })

  test('serves inboxes and topics that came while it started', async () => {
    const [host, other] = [create(), await started()]
    const received: string[] = []
    const starting = host.start()
    const withdrawn = host.listen('gone', () => undefined)
    await new Promise((resolve) => setImmediate(resolve))
    host.listen('root', (frame) => received.push(fromUtf8(frame)))
    await host.subscribe(
      '/nunet/hello',
      (frame) => received.push(fromUtf8(frame)),
      () => 'accept'
    )
    withdrawn()
    await starting
    await other.connect(addressOf(host))
    await other.send(host.peerId, 'root', utf8('a frame'))
    await expect(other.send(host.peerId, 'gone', utf8('x'))).rejects.toMatchObject({ code: 'NETWORK_NO_SUCH_INBOX' })
    await eventuallyResolves(async () => {
      await other.publish('/nunet/hello', utf8('a broadcast'))
      if (!received.includes('a broadcast')) throw new Error('the broadcast has not arrived yet')
    })
    expect(received).toContain('a frame')
  })

  test('leaves no handle behind', async () => {
    const count = (): number => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length
    const before = count()
    const [host, other] = [await started(), await started()]
    await other.connect(addressOf(host))
    expect(count()).toBeGreaterThan(before)
    await Promise.all([host.stop(), other.stop()])
    await eventually(() => count() <= before)
  })
})

describe('connecting', () => {
  test.each([
    ['nonsense', 'is not a multiaddress'],
    ['/ip4/127.0.0.1/tcp/9000', 'must end in /p2p/<peer id>'],
    ['/ip4/127.0.0.1/tcp/9000/p2p/nobody', 'is not a peer id']
  ])('refuses the address %s', async (address, reason) => {
    const host = await started()
    await expect(host.connect(address)).rejects.toMatchObject({
      code: 'NETWORK_BAD_ADDRESS',
      message: containing(reason)
    })
  })

  test('refuses the own address', async () => {
    const host = await started()
    await expect(host.connect(addressOf(host))).rejects.toMatchObject({ code: 'NETWORK_BAD_ADDRESS' })
  })

  test('refuses somebody else at the address of a peer', async () => {
    const [host, other] = [await started(), await started()]
    const wrong = addressOf(other).replace(other.peerId, generateKeyPair().peerId)
    await expect(host.connect(wrong)).rejects.toMatchObject({
      code: 'NETWORK_UNREACHABLE',
      message: containing(wrong)
    })
    expect(host.peers()).toEqual([])
  })

  test('says that nobody answers', async () => {
    const [host, gone] = [await started(), await started()]
    const address = addressOf(gone)
    await gone.stop()
    await expect(host.connect(address)).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE', kind: 'unavailable' })
  })

  test('gives the peer id, keeps the connection and knows the peer', async () => {
    const [host, other] = [await started(), await started()]
    expect(await host.connect(addressOf(other))).toBe(other.peerId)
    expect(await host.connect(addressOf(other))).toBe(other.peerId)
    expect(host.peers()).toEqual([other.peerId])
    expect(host.isConnected(other.peerId)).toBe(true)
    expect(await host.knownPeers()).toEqual([other.peerId])
  })

  test('tells of a peer that was identified, with its root inbox, and of its end', async () => {
    const [host, other] = [await started(), create()]
    const events: PeerEvent[] = []
    const end = host.onPeer((event) => events.push(event))
    other.listen('root', () => undefined)
    await other.start()
    await host.connect(addressOf(other))
    await eventually(() => events.some(({ type }) => type === 'identified'))
    expect(events[0]).toMatchObject({ type: 'identified', peer: other.peerId })
    expect(events[0]?.protocols).toContain('actor/root/messages/0.0.1')
    await other.stop()
    await eventually(() => events.some(({ type }) => type === 'disconnected'))
    end()
  })
})

describe('pinging', () => {
  test('refuses the own peer id, a stranger and what is no peer id', async () => {
    const host = await started()
    await expect(host.ping(host.peerId)).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
    await expect(host.ping(generateKeyPair().peerId)).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
    await expect(host.ping('nobody')).rejects.toMatchObject({ code: 'NETWORK_BAD_ADDRESS' })
  })

  test('measures a round trip', async () => {
    const [host, other] = [await started(), await started()]
    await host.connect(addressOf(other))
    const times = await Promise.all(Array.from({ length: 5 }, () => host.ping(other.peerId)))
    for (const time of times) expect(time).toBeLessThan(5000)
  })
})

describe('reaching a peer that is not connected', () => {
  test('says what was tried', async () => {
    const [host, other] = [await started({ limits: { lookupTimeout: millis(300) } }), await started()]
    await host.connect(addressOf(other))
    await expect(host.send(generateKeyPair().peerId, 'root', utf8('x'))).rejects.toMatchObject({
      code: 'NETWORK_UNREACHABLE',
      message: matching(/no address of it is known; no relay is connected that could lead to it; asked the DHT: /)
    })
  })

  test('dials an address it learned before', async () => {
    const [host, other] = [await started(), await started()]
    const received: string[] = []
    other.listen('root', (frame) => received.push(fromUtf8(frame)))
    await host.connect(addressOf(other))
    await eventually(() => other.isConnected(host.peerId))
    const port = addressOf(other).match(/tcp\/(\d+)/)?.[1] ?? ''
    expect(port).not.toBe('')
    await other.stop()
    await eventually(() => !host.isConnected(other.peerId))
    await expect(host.send(other.peerId, 'root', utf8('x'))).rejects.toMatchObject({
      code: 'NETWORK_UNREACHABLE',
      message: containing(`tcp/${port}`)
    })
  })

  test('asks the DHT for its address', async () => {
    const [middle, host, other] = [await started(), await started(), await started()]
    const received: string[] = []
    other.listen('root', (frame) => received.push(fromUtf8(frame)))
    await Promise.all([host.connect(addressOf(middle)), other.connect(addressOf(middle))])
    expect(host.isConnected(other.peerId)).toBe(false)
    await eventuallyResolves(() => host.send(other.peerId, 'root', utf8('found you')))
    await eventually(() => received.includes('found you'))
  })

  test('refuses more sends than are allowed at once', async () => {
    const [host, other] = [await started({ limits: { sends: 2 } }), await started()]
    other.listen('root', () => undefined)
    await host.connect(addressOf(other))
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => host.send(other.peerId, 'root', Uint8Array.of(n))))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(outcomes[2]).toMatchObject({ reason: { code: 'NETWORK_BUSY', kind: 'exhausted' } })
    expect(host.stats()).toMatchObject({ framesSent: 2, sending: 0 })
  })
})

describe('a host whose places for peers are all taken', () => {
  test('still takes frames of this machine to itself, and refuses a peer that takes more than its share', async () => {
    const host = await started({ limits: { sends: 2, queuedPerPeer: 1, reads: 0 } })
    const other = await started()
    other.listen('root', () => undefined)
    const received: string[] = []
    host.listen('root', (frame) => received.push(fromUtf8(frame)))
    await host.connect(addressOf(other))
    const outcomes = await Promise.allSettled([1, 2].map((n) => host.send(other.peerId, 'root', Uint8Array.of(n))))
    expect(outcomes[1]).toMatchObject({ reason: { code: 'NETWORK_BUSY', message: containing(other.peerId) } })
    await Promise.all([1, 2, 3].map((n) => host.send(host.peerId, 'root', utf8(`own ${n}`))))
    await eventually(() => received.length === 3)
  })
})

describe('bootstrap peers', () => {
  test('are joined, and joined again when they come back', async () => {
    const privateKey = generateKeyPair().exportPrivate()
    const seed = await started({ privateKey })
    const address = addressOf(seed)
    const host = await started({ bootstrap: [address], limits: { rejoinPause: millis(20) } })
    await eventually(() => host.isConnected(seed.peerId))
    await seed.stop()
    await eventually(() => !host.isConnected(seed.peerId))
    const again = await started({ listen: [address.replace(/\/p2p\/.*/, '')], privateKey })
    await eventually(() => host.isConnected(again.peerId))
  })

  test('that cannot be resolved are only logged', async () => {
    const lines: string[] = []
    const stranger = generateKeyPair().peerId
    const host = await started({ bootstrap: [`/dnsaddr/bootstrap.invalid/p2p/${stranger}`], log: recording(lines) })
    await eventually(() => lines.some((line) => line.includes('bootstrap peer')))
    expect(host.peers()).toEqual([])
  })
})

describe('the routing table', () => {
  test('is empty before the start, and then has the peers that serve the DHT', async () => {
    expect(create().routingTable()).toEqual([])
    const [host, other] = [await started(), await started()]
    await host.connect(addressOf(other))
    await eventually(() => host.routingTable().some(({ peer }) => peer === other.peerId))
    expect(host.routingTable().map(({ peer }) => peer)).toEqual([other.peerId])
    await eventually(() => (host.routingTable()[0]?.answeredAt ?? 0) > 1_700_000_000_000)
  })
})

describe('gossip', () => {
  test('lowers the score of a peer whose broadcast was rejected', async () => {
    const [host, other] = [await started(), await started()]
    host.scorePeersBy((peer) => (peer === other.peerId ? 5 : 0))
    await host.subscribe(
      '/nunet/hello',
      () => undefined,
      () => 'reject'
    )
    await other.subscribe(
      '/nunet/hello',
      () => undefined,
      () => 'accept'
    )
    await host.connect(addressOf(other))
    await eventually(() => host.scores().get(other.peerId)?.score === 5)
    expect(host.scores().get(other.peerId)).toMatchObject({ application: 5, colocation: 0, penalty: 0 })
    await eventuallyResolves(async () => {
      await other.publish('/nunet/hello', utf8('bad'))
      if (host.stats().broadcastsRefused === 0) throw new Error('the broadcast has not arrived yet')
    })
    await eventually(() => (host.scores().get(other.peerId)?.score ?? 0) < -900)
    const onTopic = () => host.scores().get(other.peerId)?.topics['/nunet/hello']
    expect(onTopic()?.invalidDeliveries).toBeGreaterThanOrEqual(1)
  })

  test('tells how long a peer has been in the mesh of a topic', async () => {
    const [host, other] = [await started(), await started()]
    for (const each of [host, other]) {
      await each.subscribe(
        '/nunet/hello',
        () => undefined,
        () => 'accept'
      )
    }
    await host.connect(addressOf(other))
    const timeInMesh = (): number => host.scores().get(other.peerId)?.topics['/nunet/hello']?.timeInMesh ?? 0
    await eventually(() => timeInMesh() > 0)
    expect(timeInMesh()).toBeLessThan(30_000)
  })
})

/** Vitest's matchers are untyped. */
function containing(part: string): unknown {
  return expect.stringContaining(part)
}

function lacking(part: string): unknown {
  return expect.not.stringContaining(part)
}

function matching(pattern: RegExp): unknown {
  return expect.stringMatching(pattern)
}

async function eventuallyResolves(work: () => Promise<void>): Promise<void> {
  for (let attempts = 0; attempts < 100; attempts += 1) {
    try {
      await work()
      return
    } catch {
      await systemClock.sleep(millis(20)) // the network has not settled yet
    }
  }
  await work()
}
