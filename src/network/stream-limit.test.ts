import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, test } from 'vitest'
import { addressOf, createLoopbackHost, eventually } from '../../test/support/network-hosts.ts'
import { fromUtf8, millis, systemClock, utf8 } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { createVirtualClock } from '../testing/index.ts'
import { encodeFrame } from './frame.ts'
import type { NetworkHost } from './index.ts'
import { createNode, type Node } from './libp2p-node.ts'
import { DEFAULT_LIMITS, inboxProtocol } from './limits.ts'
import { limitStreams } from './stream-limit.ts'

const LIMIT = 20

let host: NetworkHost
let attacker: Node

afterEach(async () => {
  await Promise.all([attacker.stop(), host.stop()])
})

/** Connects an attacker that opens as many streams as it likes. */
async function attack(): Promise<() => Promise<Stream>> {
  attacker = await createNode({
    privateKey: privateKeyFromProtobuf(generateKeyPair().exportPrivate()),
    listen: [],
    limits: DEFAULT_LIMITS,
    peerScore: () => 0
  })
  await attacker.start()
  return async () => {
    const connection = await attacker.dial(multiaddr(addressOf(host))) // the one that is open, if one is
    return await connection.newStream(inboxProtocol('root'), { maxOutboundStreams: 10_000, negotiateFully: true })
  }
}

test('a peer that opens ever more streams is cut off at the limit, and frames arrive again when it gave some back', async () => {
  const heard: string[] = []
  host = createLoopbackHost({ limits: { streams: LIMIT } })
  host.listen('root', (frame) => heard.push(fromUtf8(frame)))
  await host.start()
  const open = await attack()
  const opened = await Promise.allSettled(Array.from({ length: LIMIT + 8 }, open))
  const held = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  expect(held.length).toBeGreaterThan(LIMIT / 2)
  expect(held.length).toBeLessThanOrEqual(LIMIT)

  for (const stream of held.slice(0, 10)) stream.abort(new Error('given back'))
  await eventually(() => held.slice(0, 10).every(({ status }) => status === 'aborted'))
  const stream = await open()
  stream.send(encodeFrame(utf8('hello')))
  await stream.close()
  await eventually(() => heard.includes('hello'))
})

test('a peer that opens streams faster than they can be served loses some of them, and is served when it is slower', async () => {
  const heard: string[] = []
  host = createLoopbackHost()
  host.listen('root', (frame) => heard.push(fromUtf8(frame)))
  await host.start()
  const open = await attack()
  const opened = await Promise.allSettled(
    Array.from({ length: 3000 }, async () => {
      const stream = await open()
      stream.abort(new Error('enough'))
    })
  )
  expect(opened.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(100)
  for (let attempt = 0; attempt < 100 && heard.length === 0; attempt += 1) {
    const stream = await open().catch(() => undefined) // the budget fills up again
    stream?.send(encodeFrame(utf8('hello')))
    await stream?.close()
    await systemClock.sleep(millis(50))
  }
  expect(heard).toContain('hello')
})

describe('a connection that goes on opening streams although they are refused', () => {
  const LIMIT_OF_ALL = 210

  function connect(): { readonly open: (count: number) => number; readonly connection: { status: string; resets: number } } {
    const connection = {
      status: 'open',
      resets: 0,
      abort: () => {
        connection.status = 'aborted'
      }
    }
    const reset = (): void => {
      connection.resets += 1
    }
    const muxer = new EventTarget()
    const factory = limitStreams(() => ({ protocol: '/test', createStreamMuxer: () => muxer }) as never, {
      limit: 10_000,
      clock: createVirtualClock()
    })({} as never).createStreamMuxer(connection as never)
    let admitted = 0
    factory.addEventListener('stream', () => {
      admitted += 1
    })
    function open(count: number): number {
      admitted = 0
      for (let index = 0; index < count; index += 1) {
        const stream = Object.assign(new EventTarget(), { abort: reset })
        muxer.dispatchEvent(new CustomEvent('stream', { detail: stream }))
      }
      return admitted
    }
    return { open, connection }
  }

  test('is closed after some dozen refusals, so that the others cost nothing', () => {
    const { open, connection } = connect()
    expect(open(10_000)).toBeLessThanOrEqual(LIMIT_OF_ALL)
    expect(connection.status).toBe('aborted')
    expect(connection.resets).toBeLessThan(100)
  })

  test('stays open when few were refused', () => {
    const { open, connection } = connect()
    open(210)
    expect(connection.resets).toBeGreaterThan(0)
    expect(connection.status).toBe('open')
  })
})
