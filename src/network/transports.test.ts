import { afterEach, describe, expect, test } from 'vitest'
import { addressOf, createLoopbackHost, eventually } from '../../test/support/network-hosts.ts'
import { fromUtf8, utf8 } from '../base/index.ts'
import { requirement } from '../testing/index.ts'
import type { NetworkHost, NetworkHostOptions } from './index.ts'
import { loadQuic } from './transports.ts'

const quic = await requirement('quic', async () => {
  await loadQuic()
  return { available: true }
})

const hosts: NetworkHost[] = []

async function started(options: Partial<NetworkHostOptions>): Promise<NetworkHost> {
  const host = createLoopbackHost(options)
  hosts.push(host)
  await host.start()
  return host
}

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop()
})

async function expectMessages(listen: string): Promise<void> {
  const [near, far] = [await started({ listen: [listen] }), await started({ listen: [listen] })]
  const heard: string[] = []
  far.listen('root', (frame, from) => heard.push(`${from === near.peerId}: ${fromUtf8(frame)}`))
  await near.connect(addressOf(far))
  await near.send(far.peerId, 'root', utf8('hello'))
  await near.send(far.peerId, 'root', utf8('x'.repeat(900_000)))
  await eventually(() => heard.length === 2)
  expect(heard.map((line) => line.length).sort()).toEqual(['true: hello'.length, 900_006])
}

describe('messages arrive', () => {
  test('over TCP', () => expectMessages('/ip4/127.0.0.1/tcp/0'))

  test('over WebSocket', () => expectMessages('/ip4/127.0.0.1/tcp/0/ws'))

  test.skipIf(!quic.available)(quic.title('over QUIC'), () => expectMessages('/ip4/127.0.0.1/udp/0/quic-v1'))
})

describe('addresses', () => {
  test.skipIf(!quic.available)(quic.title('of every kind are served by one host'), async () => {
    const host = await started({
      listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/udp/0/quic-v1']
    })
    const kinds = host.addresses().map((address) => address.replaceAll(/\/[1-9]\d*(?=\/)|\/p2p\/.*/g, ''))
    expect(kinds.sort()).toEqual(['/ip4/127.0.0.1/tcp', '/ip4/127.0.0.1/tcp/ws', '/ip4/127.0.0.1/udp/quic-v1'])
  })
})
