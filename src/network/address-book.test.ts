import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { generateKeyPair } from '../identity/index.ts'
import { type AddressBook, createAddressBook, type KnownAddress } from './address-book.ts'

const peerId = generateKeyPair().peerId
const RELAY = `/ip4/8.8.8.8/tcp/9000/p2p/${generateKeyPair().peerId}/p2p-circuit`

function known(address: string, type: KnownAddress['type'] = 'transport', verified = true): KnownAddress {
  return { multiaddr: multiaddr(address), type, verified }
}

function createBook(addresses: readonly KnownAddress[], changed: () => void = () => undefined): AddressBook {
  return createAddressBook({ self: peerIdFromString(peerId), known: () => addresses, changed })
}

function texts(addresses: readonly Multiaddr[]): string[] {
  return addresses.map((address) => address.toString().replace(`/p2p/${peerId}`, ''))
}

describe('what is announced', () => {
  test('comes best first, each once: configured, public, through relays, of the local network, of this machine', () => {
    const book = createBook([
      known('/ip4/127.0.0.1/tcp/9000'),
      known('/ip4/10.0.0.7/tcp/9000'),
      known('/ip4/10.0.0.7/tcp/9000'),
      known(RELAY),
      known(`/ip4/9.9.9.9/tcp/9000/p2p/${peerId}`, 'announce'),
      known('/ip4/8.8.4.4/tcp/9000'),
      known('/ip4/10.99.0.1/tcp/9000', 'announce')
    ])
    expect(texts(book.announced())).toEqual([
      '/ip4/9.9.9.9/tcp/9000',
      '/ip4/10.99.0.1/tcp/9000',
      '/ip4/8.8.4.4/tcp/9000',
      RELAY,
      '/ip4/10.0.0.7/tcp/9000',
      '/ip4/127.0.0.1/tcp/9000'
    ])
    for (const address of book.announced()) expect(address.toString().endsWith(`/p2p/${peerId}`)).toBe(true)
  })

  test('holds no address that others merely say they saw', () => {
    expect(createBook([known('/ip4/9.9.9.9/udp/4711/quic-v1', 'observed', false)]).announced()).toEqual([])
  })

  test('holds a public address of an interface until three in a row could not reach it, and again once somebody did', () => {
    const address = multiaddr('/ip4/9.9.9.9/tcp/9000')
    const book = createBook([known(address.toString(), 'transport', false)])
    book.failed(address)
    book.failed(address)
    expect(book.announced()).toHaveLength(1)
    book.failed(address)
    expect(book.announced()).toHaveLength(0)
    book.worked(address)
    expect(book.announced()).toHaveLength(1)
  })

  test('holds a forwarded port once somebody reached it there, and says that something changed', () => {
    let changes = 0
    const book = createBook([known('/ip4/192.168.1.5/tcp/9000')], () => {
      changes += 1
    })
    book.observed('9.9.9.9', '8.8.8.8')
    const [candidate] = book.candidates()
    if (candidate === undefined) throw new Error('there is no candidate')
    expect(texts([candidate])).toEqual(['/ip4/9.9.9.9/tcp/9000'])
    expect(texts(book.announced())).toEqual(['/ip4/192.168.1.5/tcp/9000'])
    book.worked(candidate)
    book.worked(candidate)
    expect(texts(book.announced())).toEqual(['/ip4/9.9.9.9/tcp/9000', '/ip4/192.168.1.5/tcp/9000'])
    expect(changes).toBe(1)
  })

  test('holds an address that only peers told once two sites reached it there, and again after it was ruled out', () => {
    const address = multiaddr('/ip4/9.9.9.9/tcp/9000')
    const book = createBook([known('/ip4/192.168.1.5/tcp/9000'), known(address.toString(), 'observed', false)])
    expect([book.worked(address, '8.8.8.8'), book.worked(address, '8.8.8.8')]).toEqual([false, false])
    expect(texts(book.announced())).toEqual(['/ip4/192.168.1.5/tcp/9000'])
    expect([book.worked(address, '8.8.4.4'), book.worked(address, '8.8.8.8')]).toEqual([true, true])
    expect(texts(book.announced())).toEqual(['/ip4/9.9.9.9/tcp/9000', '/ip4/192.168.1.5/tcp/9000'])
    for (let failure = 0; failure < 3; failure += 1) book.failed(address)
    expect(book.worked(address, '8.8.8.8')).toBe(false)
    book.forget()
    expect(book.worked(address, '8.8.4.4')).toBe(false)
  })

  test.each(['transport', 'announce', 'ip-mapping'] as const)('holds an address of kind %s once one site reached it', (kind) => {
    const address = multiaddr('/ip4/9.9.9.9/tcp/9000')
    expect(createBook([known(address.toString(), kind)]).worked(address, '8.8.8.8')).toBe(true)
  })

  test('is bounded', () => {
    const many = Array.from({ length: 100 }, (_, index) => known(`/ip4/10.0.0.${index}/tcp/9000`))
    expect(createBook(many).announced()).toHaveLength(32)
  })
})

describe('what others are asked to try', () => {
  test('is public, direct and of the same IP version', () => {
    const book = createBook([known('/ip4/10.0.0.7/tcp/9000'), known('/ip6/::1/tcp/9000'), known(RELAY)])
    expect(book.candidates()).toEqual([])
    book.observed('9.9.9.9', '8.8.8.8')
    expect(texts(book.candidates())).toEqual(['/ip4/9.9.9.9/tcp/9000'])
  })

  test('begins with what has not worked yet', () => {
    const book = createBook([known('/ip4/9.9.9.9/tcp/9000'), known('/ip4/9.9.9.9/udp/9000/quic-v1')])
    book.worked(multiaddr('/ip4/9.9.9.9/tcp/9000'))
    expect(texts(book.candidates())).toEqual(['/ip4/9.9.9.9/udp/9000/quic-v1', '/ip4/9.9.9.9/tcp/9000'])
  })

  test('stays small when peers tell ever more IP addresses', () => {
    const book = createBook([known('/ip4/10.0.0.7/tcp/9000')])
    for (let index = 1; index < 200; index += 1) book.observed(`9.9.9.${index}`, '8.8.8.8')
    expect(book.candidates()).toHaveLength(16)
  })
})

test('the public IP address is known when three peers at different addresses saw this node there', () => {
  const book = createBook([])
  for (const reporter of ['8.8.8.8', '8.8.8.8', '8.8.4.4']) book.observed('9.9.9.9', reporter)
  expect(book.publicIp()).toBeUndefined()
  book.observed('9.9.9.9', '1.1.1.1')
  expect(book.publicIp()).toBe('9.9.9.9')
})
