import { describe, expect, test } from 'vitest'
import { fromUtf8, millis, seconds, utf8 } from '../base/index.ts'
import type { PeerEvent } from '../network/index.ts'
import { messageTransportCompliance } from './compliance/index.ts'
import { createMemoryNetwork } from './memory-network.ts'

messageTransportCompliance({
  test,
  async create() {
    const network = createMemoryNetwork()
    const [first, second] = [network.host('first'), network.host('second')]
    network.link('first', 'second')
    await Promise.all([first.start(), second.start()])
    return {
      first,
      second,
      stranger: 'stranger',
      stop: async () => {
        await Promise.all([first.stop(), second.stop()])
      }
    }
  }
})

/** A clock whose sleepers wake when the test says so. */
function manualClock() {
  let now = 0
  const sleepers = new Set<{ readonly due: number; readonly wake: () => void }>()
  return {
    now: () => millis(now),
    sleep: (duration: number) => new Promise<void>((wake) => void sleepers.add({ due: now + duration, wake })),
    async advance(duration: number): Promise<void> {
      now += duration
      for (const sleeper of sleepers) {
        if (sleeper.due > now) continue
        sleepers.delete(sleeper)
        sleeper.wake()
      }
      await turn()
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await turn()
}

describe('the memory network', () => {
  test('refuses to use a host that does not run', async () => {
    const network = createMemoryNetwork()
    const host = network.host('a')
    await expect(host.send('b', 'root', utf8('x'))).rejects.toMatchObject({ code: 'NETWORK_NOT_RUNNING' })
    await expect(host.publish('t', utf8('x'))).rejects.toMatchObject({ code: 'NETWORK_NOT_RUNNING' })
    expect(host.addresses()).toEqual([])
  })

  test('refuses addresses of other networks, the own one, and those of hosts that do not run', async () => {
    const network = createMemoryNetwork()
    const [a, b] = [network.host('a'), network.host('b')]
    await a.start()
    await expect(a.connect('/ip4/127.0.0.1/tcp/9000')).rejects.toMatchObject({ code: 'NETWORK_BAD_ADDRESS' })
    await expect(a.connect('/memory/a/p2p/a')).rejects.toMatchObject({ code: 'NETWORK_BAD_ADDRESS' })
    await expect(a.connect('/memory/b/p2p/b')).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
    await b.start()
    const [address = ''] = b.addresses()
    expect(await a.connect(address)).toBe('b')
    expect(await a.ping('b')).toBe(1)
    expect([a.peers(), b.peers()]).toEqual([['b'], ['a']])
  })

  test('shows connected peers in the routing table and with what scores them, in one order', async () => {
    const network = createMemoryNetwork()
    const hosts = ['c', 'a', 'b'].map((name) => network.host(name))
    const [first] = hosts
    if (first === undefined) throw new Error('no host')
    for (const { peerId } of hosts) network.link('c', peerId)
    first.scorePeersBy((peer) => (peer === 'a' ? 5 : 1))
    expect([...first.scores().keys(), ...first.routingTable()]).toEqual([])
    for (const host of hosts) await host.start()
    expect([...first.scores()].map(([peer, { score, application }]) => [peer, score, application])).toEqual([
      ['a', 5, 5],
      ['b', 1, 1]
    ])
    expect(first.routingTable().map(({ peer }) => peer)).toEqual(['a', 'b'])
  })

  test('loses what is on the way when a link is cut', async () => {
    const network = createMemoryNetwork()
    const [a, b] = [network.host('a'), network.host('b')]
    const received: string[] = []
    b.listen('root', (frame) => received.push(fromUtf8(frame)))
    network.link('a', 'b')
    await Promise.all([a.start(), b.start()])
    await a.send('b', 'root', utf8('lost'))
    network.unlink('a', 'b')
    await turns(3)
    expect(received).toEqual([])
    await expect(a.send('b', 'root', utf8('x'))).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
    await expect(a.ping('b')).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
  })

  test('tells of peers that come, open an inbox and go', async () => {
    const network = createMemoryNetwork()
    const [a, b] = [network.host('a'), network.host('b')]
    const events: PeerEvent[] = []
    a.onPeer((event) => events.push(event))
    network.link('a', 'b')
    await a.start()
    await b.start()
    await turn()
    b.listen('root', () => undefined)
    await turn()
    await b.stop()
    await turn()
    expect(events).toEqual([
      { type: 'identified', peer: 'b', protocols: [] },
      { type: 'identified', peer: 'b', protocols: ['actor/root/messages/0.0.1'] },
      { type: 'disconnected', peer: 'b', protocols: [] }
    ])
  })

  test('passes broadcasts on over subscribers that accept them, and over no others', async () => {
    const network = createMemoryNetwork()
    const received: string[] = []
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'c'],
      ['a', 'x'],
      ['x', 'y']
    ] as const)
      network.link(from, to)
    for (const name of ['a', 'b', 'c', 'x', 'y']) {
      const host = network.host(name)
      await host.start()
      await host.subscribe(
        't',
        () => received.push(name),
        () => (name === 'x' ? 'ignore' : 'accept')
      )
    }
    await network.host('a').publish('t', utf8('hello'))
    await turns(10)
    expect(received).toEqual(['b', 'c'])
  })

  test('takes its time from the clock', async () => {
    const clock = manualClock()
    const network = createMemoryNetwork({ clock, latency: seconds(1) })
    const [a, b] = [network.host('a'), network.host('b')]
    let received = 0
    b.listen('root', () => {
      received += 1
    })
    network.link('a', 'b')
    await Promise.all([a.start(), b.start()])
    const sending = a.send('b', 'root', utf8('x'))
    await clock.advance(1000)
    await sending
    expect(received).toBe(0)
    await clock.advance(1000)
    expect(received).toBe(1)
  })

  test('lets frames overtake each other by the given randomness', async () => {
    const clock = manualClock()
    const draws = [0, 0, 5, 0]
    const random = { bytes: () => Uint8Array.of(0, 0, 0, 0, 0, draws.shift() ?? 0) }
    const network = createMemoryNetwork({ clock, random, latency: millis(1), jitter: millis(9) })
    const [a, b] = [network.host('a'), network.host('b')]
    const received: string[] = []
    await Promise.all([a.start(), b.start()])
    b.listen('root', (frame) => received.push(fromUtf8(frame)))
    draws.splice(0, draws.length, 0, 0, 0, 0)
    network.link('a', 'b')
    await clock.advance(1)
    draws.splice(0, draws.length, 0, 0, 5, 0)
    const sending = Promise.all([a.send('b', 'root', utf8('slow')), a.send('b', 'root', utf8('fast'))])
    for (let i = 0; i < 10; i += 1) await clock.advance(1)
    await sending
    expect(received).toEqual(['fast', 'slow'])
  })
})
