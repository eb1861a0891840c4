import type { Connection, MultiaddrConnection, PeerId } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { millis, systemClock } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { parsePeerId } from './addresses.ts'
import { createGate } from './gate.ts'

const peer = parsePeerId(generateKeyPair().peerId)
const SITE = '/ip4/9.9.9.9/tcp'

/** A connection that is being made; it can be closed. */
function incoming(address: string): MultiaddrConnection & EventTarget {
  return Object.assign(new EventTarget(), { remoteAddr: multiaddr(address) }) as unknown as MultiaddrConnection & EventTarget
}

interface Scene {
  readonly open: Connection[]
  readonly reserved: Multiaddr[]
  enter(connection: MultiaddrConnection): boolean
  enterAtOnce(connection: MultiaddrConnection): boolean
  finish(connection: MultiaddrConnection): void
  reserve(peerId: PeerId): boolean
}

function createScene(connectionsPerIp = 1000): Scene {
  let now = 0
  const [open, reserved]: [Connection[], Multiaddr[]] = [[], []]
  const gate = createGate({
    clock: { now: () => millis(now), sleep: async () => undefined },
    limits: { connectionsPerIp },
    connections: () => open,
    reserved: () => reserved
  })
  return {
    ...{ open, reserved },
    enter(connection) {
      now += 100 // slow enough for the handshakes of all
      return gate.denyInboundConnection?.(connection) === false
    },
    enterAtOnce: (connection) => gate.denyInboundConnection?.(connection) === false,
    finish: (connection) => void gate.denyInboundUpgradedConnection?.(peer, connection),
    reserve: (peerId) => gate.denyInboundRelayReservation?.(peerId) === false
  }
}

function connected(address: string): Connection {
  return { remoteAddr: multiaddr(address) } as unknown as Connection
}

test('an IP address with many unfinished handshakes gets no more, and others do', () => {
  const scene = createScene()
  const begun = Array.from({ length: 32 }, (_, port) => incoming(`${SITE}/${port + 1}`))
  for (const connection of begun) expect(scene.enter(connection)).toBe(true)
  expect(scene.enter(incoming(`${SITE}/99`))).toBe(false)
  expect(scene.enter(incoming('/ip4/8.8.8.8/tcp/1'))).toBe(true)
})

test('a handshake counts until it succeeded or its connection was closed, and once', () => {
  const scene = createScene()
  const begun = Array.from({ length: 32 }, (_, port) => incoming(`${SITE}/${port + 1}`))
  for (const connection of begun) scene.enter(connection)
  const [first, second] = begun
  if (first === undefined || second === undefined) throw new Error('there are no connections')
  scene.finish(first)
  first.dispatchEvent(new Event('close'))
  second.dispatchEvent(new Event('close'))
  expect([1, 2, 3].map((port) => scene.enter(incoming(`${SITE}/${100 + port}`)))).toEqual([true, true, false])
})

test('connections that come at the same moment are begun a few at a time, those of this machine too', () => {
  const scene = createScene()
  const addresses = Array.from({ length: 30 }, (_, index) =>
    index % 2 === 0 ? '/ip4/127.0.0.1/tcp/1' : `/ip4/9.9.9.${index}/tcp/1`
  )
  const entered = addresses.filter((address) => scene.enterAtOnce(incoming(address)))
  expect(entered).toHaveLength(24)
  expect(scene.enter(incoming(`${SITE}/1`))).toBe(true)
})

test('an IP address with its share of connections gets no more', () => {
  const scene = createScene(2)
  scene.open.push(connected(`${SITE}/1`), connected(`${SITE}/2`))
  expect(scene.enter(incoming(`${SITE}/3`))).toBe(false)
  expect(scene.enter(incoming('/ip4/8.8.8.8/tcp/1'))).toBe(true)
})

test('an IPv4 address that a listener for both kinds sees counts as what it is', () => {
  const scene = createScene(1)
  scene.open.push(connected('/ip6/::ffff:9.9.9.9/tcp/1'))
  expect(scene.enter(incoming(`${SITE}/3`))).toBe(false)
  expect(scene.enter(incoming('/ip6/::ffff:8.8.8.8/tcp/1'))).toBe(true)
  expect(scene.enter(incoming('/ip6/::ffff:127.0.0.1/tcp/1'))).toBe(true)
})

test('whoever names a Unix socket of this machine as its address is not dialled there', async () => {
  const gate = createGate({ clock: systemClock, limits: { connectionsPerIp: 1 }, connections: () => [], reserved: () => [] })
  const denies = async (address: string): Promise<boolean | undefined> => gate.denyDialMultiaddr?.(multiaddr(address))
  expect(await denies(`/unix/run%2Fdocker.sock/p2p/${peer}`)).toBe(true)
  expect(await denies('/unix/run%2Fdocker.sock')).toBe(true)
  expect(await denies(`/ip4/127.0.0.1/tcp/1/p2p/${peer}`)).toBe(false)
})

test('all addresses of one IPv6 site count together', () => {
  const scene = createScene(2)
  scene.open.push(connected('/ip6/2a01:4f8::1/tcp/1'), connected('/ip6/2a01:4f8:0:0:ffff::2/tcp/2'))
  expect(scene.enter(incoming('/ip6/2a01:4f8::abcd:3/tcp/3'))).toBe(false)
  expect(scene.enter(incoming('/ip6/2a01:4f8:0:1::1/tcp/1'))).toBe(true)
})

test('loopback and relayed connections are not counted', () => {
  const scene = createScene(0)
  expect(scene.enter(incoming('/ip4/127.0.0.1/tcp/1'))).toBe(true)
  expect(scene.enter(incoming('/ip6/::1/tcp/1'))).toBe(true)
  expect(scene.enter(incoming(`/ip4/9.9.9.9/tcp/1/p2p/${peer}/p2p-circuit`))).toBe(true)
  expect(scene.enter(incoming(`${SITE}/1`))).toBe(false)
})

test('an IP address holds only so many reservations at this relay', () => {
  const scene = createScene()
  scene.open.push(connected(`${SITE}/1`))
  expect(scene.reserve(peer)).toBe(true)
  for (let port = 1; port <= 16; port += 1) scene.reserved.push(multiaddr(`${SITE}/${port}`))
  expect(scene.reserve(peer)).toBe(false)
})
