import { afterEach, expect, test } from 'vitest'
import { addressOf, createLoopbackHost, eventually } from '../../test/support/network-hosts.ts'
import { fromUtf8, utf8 } from '../base/index.ts'
import type { NetworkHost, NetworkHostOptions } from './index.ts'

const hosts: NetworkHost[] = []

async function started(options: Partial<NetworkHostOptions> = {}): Promise<NetworkHost> {
  const host = createLoopbackHost(options)
  hosts.push(host)
  await host.start()
  return host
}

/** Subscribes to a topic and resolves with what is heard. */
async function hearing(host: NetworkHost, topic: string): Promise<string[]> {
  const heard: string[] = []
  await host.subscribe(
    topic,
    (frame) => heard.push(fromUtf8(frame)),
    () => 'accept'
  )
  return heard
}

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop()
})

test('broadcasts of a private network reach its nodes and no others, though all are connected', async () => {
  const naming = { network: 'acme' }
  const [sender, member, stranger] = [await started({ naming }), await started({ naming }), await started()]
  const topic = '/nunet/hello'
  const [inside, outside] = [await hearing(member, topic), await hearing(stranger, topic)]
  await sender.connect(addressOf(member))
  await sender.connect(addressOf(stranger))
  await member.connect(addressOf(stranger))
  let number = 0
  const publish = async (): Promise<void> => {
    number += 1
    await sender.publish(topic, utf8(`hello ${number}`))
  }
  const stop = setInterval(() => void publish(), 20) // it takes a moment until the others have told what they subscribe to
  await eventually(() => inside.length > 2)
  clearInterval(stop)
  expect(outside).toEqual([])
})

test('the hash tables of two networks are apart', async () => {
  const protocols = new Map<string, readonly string[]>()
  const [acme, nunet] = [await started({ naming: { network: 'acme' } }), await started()]
  acme.onPeer(({ peer, protocols: told }) => protocols.set(peer, told))
  nunet.onPeer(({ peer, protocols: told }) => protocols.set(peer, told))
  await acme.connect(addressOf(nunet))
  await eventually(() => protocols.size === 2)
  const tables = (host: NetworkHost) => protocols.get(host.peerId)?.filter((protocol) => protocol.includes('/kad/'))
  expect(tables(acme)).toEqual(['/acme/kad/1.0.0'])
  expect([...(tables(nunet) ?? [])].sort()).toEqual(['/kad/1.0.0', '/nunet/kad/1.0.0'])
})
