import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { millis, systemClock } from '../base/index.ts'
import type { KnownAddress } from './address-book.ts'
import { atCurrentInterfaces, watchOwnAddresses } from './own-addresses.ts'

const known = (address: string, type: KnownAddress['type'] = 'transport'): KnownAddress => ({
  multiaddr: multiaddr(address),
  verified: true,
  type
})

test('a listener is told to be where this machine is now, and all else stays as it is', () => {
  const relay = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'
  const kept = [
    known('/ip4/45.10.0.15/tcp/9000'),
    known('/ip4/127.0.0.1/udp/9000/quic-v1'),
    known('/ip4/45.10.0.13/tcp/9000', 'announce'),
    known(`/ip4/45.10.0.1/tcp/9000/p2p/${relay}/p2p-circuit`)
  ]
  const before = [...kept, known('/ip4/45.10.0.13/udp/9000/quic-v1'), known('/ip6/2001:470::1/udp/9000/quic-v1')]
  const after = atCurrentInterfaces(before, ['127.0.0.1', '45.10.0.15', '192.168.1.4'])
  expect(after.map(({ multiaddr: address }) => address.toString())).toEqual([
    ...kept.map(({ multiaddr: address }) => address.toString()),
    '/ip4/45.10.0.15/udp/9000/quic-v1',
    '/ip4/192.168.1.4/udp/9000/quic-v1'
  ])
})

test('a change of addresses is noticed once, and nothing before or after the end', async () => {
  const seen = ['a', 'a', 'b', 'b', 'c']
  const stop = new AbortController()
  let changes = 0
  const looks = seen.values()
  const clock = { ...systemClock, now: () => millis(0), sleep: async () => undefined }
  const addresses = (): string => {
    const { value, done } = looks.next()
    if (done === true) stop.abort()
    return value ?? 'c'
  }
  await watchOwnAddresses(clock, () => (changes += 1), stop.signal, addresses)
  expect(changes).toBe(2)
})
