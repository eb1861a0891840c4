import '../../polyfills.ts'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, expect, test } from 'vitest'
import { createLoopbackHost, eventually } from '../../../test/support/network-hosts.ts'
import { utf8 } from '../../base/index.ts'
import { generateKeyPair } from '../../identity/index.ts'
import { parsePeerId } from '../addresses.ts'
import type { NetworkHost } from '../index.ts'
import { encodeProtobuf } from '../protobuf.ts'
import { HOP_PROTOCOL } from './reserve.ts'

/** The answer "OK" to a request for a connection, with its length before it. */
const ACCEPTED = ((message) => Buffer.concat([Uint8Array.of(message.length), message]))(
  encodeProtobuf([
    { number: 1, value: 2n },
    { number: 5, value: 100n }
  ])
)

const hosts: NetworkHost[] = []
let relay: Libp2p<{ identify: Identify }> | undefined

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop()
  await relay?.stop()
})

async function started(): Promise<NetworkHost> {
  const host = createLoopbackHost()
  hosts.push(host)
  await host.start()
  return host
}

/** A relay that says yes to everything, and hands the connection to whom it likes. Resolves with its address. */
async function hostileRelay(handOver: (stream: Stream, made: Libp2p) => Promise<void>): Promise<string> {
  const made = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify() }
  })
  relay = made
  await made.handle(HOP_PROTOCOL, async (stream) => {
    stream.addEventListener('message', () => stream.send(ACCEPTED), { once: true })
    await handOver(stream, made)
  })
  return `${made.getMultiaddrs()[0]}`
}

test('a relay that speaks in the place of the peer that was asked for is found out', async () => {
  const heard: Uint8Array[] = []
  const address = await hostileRelay(async (stream) => {
    stream.addEventListener('message', ({ data }) => {
      heard.push(data.subarray())
      if (heard.length > 1) stream.send(data) // whatever it is sent comes back, as if from the peer
    })
  })
  const host = await started()
  const wanted = generateKeyPair().peerId
  await expect(host.connect(`${address}/p2p-circuit/p2p/${wanted}`)).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
  expect(host.isConnected(wanted)).toBe(false)
  await expect(host.send(wanted, 'root', utf8('the words of a message'))).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
  expect(Buffer.concat(heard).includes('the words of a message')).toBe(false)
})

test('nobody is let in through a relay that this node did not choose', async () => {
  const host = await started()
  await hostileRelay(async () => undefined)
  const [address = ''] = host.addresses()
  const connection = await relay?.dial(multiaddr(address))
  await eventually(() => host.peers().length === 1)
  const stream = await connection?.newStream('/libp2p/circuit/relay/0.2.0/stop')
  const answers: number[] = []
  stream?.addEventListener('message', ({ data }) => answers.push(...data.subarray()))
  const source = encodeProtobuf([{ number: 1, value: parsePeerId(generateKeyPair().peerId).toMultihash().bytes }])
  const request = encodeProtobuf([
    { number: 1, value: 0n },
    { number: 2, value: source }
  ])
  stream?.send(Buffer.concat([Uint8Array.of(request.length), request]))
  await eventually(() => answers.length > 0)
  const refusal = encodeProtobuf([
    { number: 1, value: 1n },
    { number: 4, value: 202n }
  ])
  expect(answers.slice(1)).toEqual([...refusal])
  expect(host.addresses().some((own) => own.includes('p2p-circuit'))).toBe(false)
})
