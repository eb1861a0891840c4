import '../../polyfills.ts'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, Upgrader } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, describe, expect, test } from 'vitest'
import { silentLogger } from '../../base/index.ts'
import { requirement } from '../../testing/index.ts'
import { loadPortSharing } from './system-calls.ts'
import { createSharingTransport, type Role, type SharingTransport } from './transport.ts'

const loaded = await loadPortSharing()
const portSharing = await requirement('port-sharing', async () => loaded)

interface TestNode {
  readonly node: Libp2p<{ identify: Identify }>
  readonly transport: SharingTransport
  readonly upgrader: () => Upgrader
  readonly address: () => Multiaddr
}

const nodes: TestNode[] = []

afterEach(async () => {
  for (const { node } of nodes.splice(0)) await node.stop()
})

async function started(listen = '/ip4/127.0.0.1/tcp/0', shared = true): Promise<TestNode> {
  if (!loaded.available) throw new Error(loaded.reason)
  const transport = createSharingTransport({ sharing: loaded.sharing, shared: () => shared, tcp: {}, log: silentLogger })
  let upgrader: Upgrader | undefined
  const node = await createLibp2p({
    addresses: { listen: [listen] },
    transports: [
      (components: { readonly upgrader: Upgrader } & Parameters<SharingTransport['factory']>[0]) => {
        upgrader = components.upgrader
        return transport.factory(components)
      }
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify() }
  })
  const made: TestNode = {
    node,
    transport,
    upgrader: () => {
      if (upgrader === undefined) throw new Error('the node has no transport yet')
      return upgrader
    },
    address: () => node.getMultiaddrs()[0] ?? multiaddr()
  }
  nodes.push(made)
  return made
}

function punch(from: TestNode, to: TestNode, role: Role, delay: number) {
  const begin = new Promise<void>((resolve) => setTimeout(resolve, delay))
  return from.transport.punch(to.address(), role, punching(from, 3000, begin))
}

function punching(from: TestNode, limit = 1000, begin = Promise.resolve()) {
  return { signal: AbortSignal.timeout(limit), upgrader: from.upgrader(), begin }
}

function portOf(address: Multiaddr | undefined): string {
  return address?.toString().match(/\/tcp\/(\d+)/)?.[1] ?? ''
}

/** A protocol on top works in both directions only when the two ends agree about who is who. */
async function talk(from: TestNode, to: TestNode): Promise<void> {
  const protocol = `/talk/${from.node.peerId}`
  let hear: (text: string) => void = () => undefined
  const heard = new Promise<string>((resolve) => {
    hear = resolve
  })
  await to.node.handle(protocol, async (stream) => {
    for await (const chunk of stream) hear(Buffer.from(chunk.subarray()).toString())
  })
  const stream = await from.node.dialProtocol(to.node.peerId, protocol)
  stream.send(Buffer.from('hello'))
  await stream.close()
  expect(await heard).toBe('hello')
}

describe.skipIf(!portSharing.available)(portSharing.title('a transport that shares its port'), () => {
  test('says which address is taken', async () => {
    const { node } = await started()
    const taken = `/ip4/127.0.0.1/tcp/${portOf(node.getMultiaddrs()[0])}`
    await expect(started(taken)).rejects.toThrow(/EADDRINUSE/)
  })

  test('dials from the port it listens on where that is wanted, and from another elsewhere', async () => {
    const [sharing, other] = [await started(), await started()]
    const connection = await sharing.node.dial(other.address())
    expect(sharing.transport.sharesPort(connection)).toBe(true)
    await talk(sharing, other)
    expect(portOf(other.node.getConnections()[0]?.remoteAddr)).toBe(portOf(sharing.address()))
    const plain = await started('/ip4/127.0.0.1/tcp/0', false)
    const plainConnection = await plain.node.dial(other.address())
    expect(plain.transport.sharesPort(plainConnection)).toBe(false)
    await talk(plain, other)
    expect(portOf(other.node.getConnections(plain.node.peerId)[0]?.remoteAddr)).not.toBe(portOf(plain.address()))
  })

  test('dials from another port when that connection exists already', async () => {
    const [sharing, other] = [await started(), await started()]
    const first = await sharing.node.dial(other.address())
    const second = await sharing.node.dial(other.address(), { force: true })
    expect([first, second].map((connection) => sharing.transport.sharesPort(connection))).toEqual([true, false])
  })

  test.each([
    ['client first', 0, 30],
    ['server first', 30, 0],
    ['at once', 0, 0]
  ])('two nodes that punch each other, %s, get one connection that both understand', async (_case, clientDelay, serverDelay) => {
    const [client, server] = [await started(), await started()]
    const [one, other] = await Promise.all([
      punch(client, server, 'client', clientDelay),
      punch(server, client, 'server', serverDelay)
    ])
    expect([one.direction, other.direction]).toEqual(['outbound', 'inbound'])
    expect([one.remotePeer, other.remotePeer].map(String)).toEqual([server, client].map(({ node }) => node.peerId.toString()))
    expect(client.node.getConnections().map(({ id }) => id)).toEqual([one.id])
    expect(server.node.getConnections().map(({ id }) => id)).toEqual([other.id])
    await talk(client, server)
    await talk(server, client)
  })

  test('a punch proves the peer it was meant for', async () => {
    const [client, server, third] = [await started(), await started(), await started()]
    const wrong = multiaddr(server.address().toString().replace(server.node.peerId.toString(), third.node.peerId.toString()))
    await expect(client.transport.punch(wrong, 'client', punching(client))).rejects.toThrow()
    expect(client.node.getConnections()).toEqual([])
  })

  test('a peer whose address another peer named is served all the same', async () => {
    const [server, named, liar] = [await started(), await started(), await started()]
    const lie = multiaddr(named.address().toString().replace(named.node.peerId.toString(), liar.node.peerId.toString()))
    const giveUp = new AbortController()
    const never = new Promise<void>((_resolve, reject) =>
      giveUp.signal.addEventListener('abort', () => reject(new Error('over')))
    )
    const options = { signal: giveUp.signal, upgrader: server.upgrader(), begin: never }
    const waiting = server.transport.punch(lie, 'server', options)
    const connection = await named.node.dial(server.address())
    expect(named.transport.sharesPort(connection)).toBe(true)
    await talk(named, server)
    await talk(server, named)
    giveUp.abort()
    await expect(waiting).rejects.toThrow()
    expect(server.node.getPeers().map(String)).toEqual([named.node.peerId.toString()])
  })

  test('a peer whose address another peer named loses one connection at most', async () => {
    const [client, named, liar] = [await started(), await started(), await started()]
    const lie = multiaddr(named.address().toString().replace(named.node.peerId.toString(), liar.node.peerId.toString()))
    const giveUp = new AbortController()
    const never = new Promise<void>((_resolve, reject) =>
      giveUp.signal.addEventListener('abort', () => reject(new Error('over')))
    )
    const options = { signal: giveUp.signal, upgrader: client.upgrader(), begin: never }
    const waiting = client.transport.punch(lie, 'client', options).catch((error: unknown) => error)
    await expect(named.node.dial(client.address())).rejects.toThrow()
    const connection = await named.node.dial(client.address())
    expect(named.transport.sharesPort(connection)).toBe(true)
    await talk(named, client)
    giveUp.abort()
    expect(await waiting).toBeInstanceOf(Error)
  })

  test('cannot punch without a listener of the same kind', async () => {
    const node = await started()
    const target = multiaddr('/ip6/::1/tcp/9000')
    expect(node.transport.canShare(target)).toBe(false)
    await expect(node.transport.punch(target, 'client', punching(node))).rejects.toThrow('no listening port can be shared')
  })

  test('gives its port back when it stops', async () => {
    const { node, transport, address } = await started()
    const listen = `/ip4/127.0.0.1/tcp/${portOf(address())}`
    const other = address()
    await node.stop()
    expect(transport.canShare(other)).toBe(false)
    await started(listen)
  })
})
