import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { Connection, Stream } from '@libp2p/interface'
import { afterEach, describe, expect, test } from 'vitest'
import { addressOf, createLoopbackHost, eventually } from '../../test/support/network-hosts.ts'
import { bytes, fromUtf8, millis, utf8 } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { encodeFrame } from './frame.ts'
import type { NetworkHost, NetworkLimits } from './index.ts'
import { decodeFrame, encodeFrames, KEPT_PROTOCOL, type KeptFrame } from './kept-frames.ts'
import { createKeptReader } from './kept-reader.ts'
import { createNode, type Node } from './libp2p-node.ts'
import { DEFAULT_LIMITS, inboxProtocol } from './limits.ts'

const hosts: NetworkHost[] = []
const nodes: Node[] = []

async function startHost(limits: Partial<NetworkLimits> = {}): Promise<NetworkHost> {
  const host = createLoopbackHost({ limits })
  hosts.push(host)
  await host.start()
  return host
}

/** A libp2p node of somebody else, with the protocols that it serves. */
async function startNode(protocols: Readonly<Record<string, (stream: Stream, connection: Connection) => void>>): Promise<Node> {
  const node = await createNode({
    privateKey: privateKeyFromProtobuf(generateKeyPair().exportPrivate()),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    limits: DEFAULT_LIMITS,
    peerScore: () => 0
  })
  nodes.push(node)
  await node.start()
  for (const [protocol, handler] of Object.entries(protocols)) await node.handle(protocol, handler)
  return node
}

/** Connects, and waits until the host knows what the node speaks. */
async function meet(host: NetworkHost, node: Node): Promise<string> {
  const identified = new Promise<void>((resolve) => host.onPeer(({ type }) => (type === 'identified' ? resolve() : undefined)))
  await host.connect(String(node.getMultiaddrs()[0]))
  await identified
  return node.peerId.toString()
}

async function pair(limits: Partial<NetworkLimits> = {}): Promise<readonly [NetworkHost, NetworkHost]> {
  const [near, far] = [await startHost(limits), await startHost(limits)]
  const identified = new Promise<void>((resolve) => near.onPeer(({ type }) => (type === 'identified' ? resolve() : undefined)))
  await near.connect(addressOf(far))
  await identified
  return [near, far]
}

function record(host: NetworkHost, inbox = 'root'): string[] {
  const received: string[] = []
  host.listen(inbox, (frame) => void received.push(fromUtf8(frame)))
  return received
}

const HELLO: KeptFrame = { type: 'hello', features: 0, window: { messages: 1000, bytes: 1_000_000 } }

/** What arrives on one stream. */
function framesOn(stream: Stream): KeptFrame[] {
  const frames: KeptFrame[] = []
  const reader = createKeptReader(
    (type, body) => {
      const frame = decodeFrame(type, Uint8Array.from(body))
      if (frame !== undefined) frames.push(frame)
    },
    () => undefined
  )
  stream.addEventListener('message', ({ data }) => reader.push(data.subarray()))
  return frames
}

function textsIn(frames: readonly KeptFrame[]): readonly string[] {
  return frames.flatMap((frame) => (frame.type === 'message' ? [fromUtf8(frame.payload)] : []))
}

function receipt(id: number): KeptFrame {
  return { type: 'receipt', receipts: [{ first: id, last: id, status: 'delivered' }] }
}

afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop()))
  await Promise.all(nodes.splice(0).map(async (node) => node.stop()))
})

describe('a stream per message', () => {
  test('is what a peer gets that does not list the protocol of kept streams', async () => {
    const seen: Buffer[] = []
    const node = await startNode({
      [inboxProtocol('root')]: (stream) => {
        const index = seen.push(Buffer.alloc(0)) - 1
        stream.addEventListener('message', ({ data }) => {
          seen[index] = Buffer.concat([seen[index] ?? Buffer.alloc(0), data.subarray()])
        })
        stream.addEventListener('remoteCloseWrite', () => void stream.close())
      }
    })
    const host = await startHost()
    const peer = await meet(host, node)
    for (const text of ['one', 'two']) await host.send(peer, 'root', utf8(text))
    await eventually(() => seen.length === 2 && seen.every(({ length }) => length > 0))
    expect(seen).toEqual(['one', 'two'].map((text) => Buffer.from(encodeFrame(utf8(text)))))
    await expect(host.send(peer, 'nobody', utf8('x'))).rejects.toMatchObject({ code: 'NETWORK_NO_SUCH_INBOX' })
    expect(host.stats()).toMatchObject({ framesSent: 2, keptStreams: 0 })
  })

  test('is what a peer gets whose kept stream breaks before it says a word', async () => {
    const received: string[] = []
    let attempts = 0
    const node = await startNode({
      [KEPT_PROTOCOL]: (stream) => {
        attempts += 1
        stream.abort(new Error('not today'))
      },
      [inboxProtocol('root')]: (stream) => {
        stream.addEventListener('message', ({ data }) => void received.push(fromUtf8(data.subarray().subarray(8))))
        stream.addEventListener('remoteCloseWrite', () => void stream.close())
      }
    })
    const host = await startHost()
    const peer = await meet(host, node)
    await host.send(peer, 'root', utf8('one'))
    await host.send(peer, 'root', utf8('two'))
    await eventually(() => received.length === 2)
    expect(attempts).toBe(1)
  })
})

describe('a kept stream', () => {
  test('carries everything to a peer that lists its protocol, large frames too', async () => {
    const [near, far] = await pair()
    const received = record(far)
    const texts = Array.from({ length: 300 }, (_, index) => `frame ${index}`)
    const large = 'x'.repeat(700_000)
    await Promise.all([...texts, large].map((text) => near.send(far.peerId, 'root', utf8(text))))
    await eventually(() => received.length === 301)
    expect(received.filter((text) => text !== large)).toEqual(texts)
    expect(near.stats()).toMatchObject({ framesSent: 301, keptStreams: 1, framesRetried: 0 })
    expect(far.stats()).toMatchObject({ framesReceived: 301, keptStreams: 0, reading: 0 })
  })

  test('says that nobody listens on an inbox, also once somebody did', async () => {
    const [near, far] = await pair()
    const noSuchInbox = { code: 'NETWORK_NO_SUCH_INBOX' }
    await expect(near.send(far.peerId, 'job', utf8('x'))).rejects.toMatchObject(noSuchInbox)
    const received: string[] = []
    const close = far.listen('job', (frame) => void received.push(fromUtf8(frame)))
    await near.send(far.peerId, 'job', utf8('here'))
    close()
    let failure: unknown
    // A send to an inbox that was there just now is written and lost; the next ones learn that it is gone.
    while (failure === undefined) failure = await near.send(far.peerId, 'job', utf8('x')).catch((error: unknown) => error)
    expect(failure).toMatchObject(noSuchInbox)
    expect(received).toEqual(['here'])
    expect(near.stats().keptStreams).toBe(1)
  })

  test('does not let a short frame wait for a long one', async () => {
    const order: string[] = []
    const [near, far] = await pair()
    far.listen('files', () => void order.push('long'))
    far.listen('root', () => void order.push('short'))
    await near.send(far.peerId, 'root', utf8('so that the stream is there'))
    const long = near.send(far.peerId, 'files', new Uint8Array(1_000_000))
    await new Promise((resolve) => setImmediate(resolve))
    await near.send(far.peerId, 'root', utf8('urgent'))
    await long
    await eventually(() => order.length === 3)
    expect(order).toEqual(['short', 'short', 'long'])
  })

  test('is closed when nothing was sent for a while, and opened again', async () => {
    const [near, far] = await pair({ keptIdle: millis(40) })
    const received = record(far)
    await near.send(far.peerId, 'root', utf8('one'))
    expect(near.stats().keptStreams).toBe(1)
    await eventually(() => near.stats().keptStreams === 0)
    await near.send(far.peerId, 'root', utf8('two'))
    await eventually(() => received.length === 2)
    expect(near.stats()).toMatchObject({ keptStreams: 1, framesRetried: 0 })
    expect(far.stats().framesRefused).toBe(0)
  })

  test('that breaks is followed by another, with what had no receipt', async () => {
    const streams: KeptFrame[][] = []
    const node = await startNode({
      [KEPT_PROTOCOL]: (stream) => {
        const frames = framesOn(stream)
        const isFirst = streams.push(frames) === 1
        stream.send(encodeFrames([HELLO]))
        stream.addEventListener('message', () => {
          if (!isFirst) return
          stream.send(encodeFrames([receipt(1)]))
          if (frames.length > 3) stream.abort(new Error('it broke'))
        })
      }
    })
    const host = await startHost()
    const peer = await meet(host, node)
    await host.send(peer, 'root', utf8('one'))
    await Promise.all(['two', 'three', 'four'].map((text) => host.send(peer, 'root', utf8(text))))
    await eventually(() => textsIn(streams[1] ?? []).length === 3)
    expect(streams.map(textsIn)).toEqual([
      ['one', 'two', 'three', 'four'],
      ['two', 'three', 'four']
    ])
    expect(host.stats().framesRetried).toBe(3)
  })

  test('without a receipt counts as broken; a frame is written twice, not more often', async () => {
    const streams: KeptFrame[][] = []
    const node = await startNode({
      [KEPT_PROTOCOL]: (stream) => {
        streams.push(framesOn(stream))
        stream.send(encodeFrames([HELLO]))
      }
    })
    const host = await startHost({ receiptTimeout: millis(60) })
    const peer = await meet(host, node)
    await expect(host.send(peer, 'root', utf8('anybody?'))).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
    expect(streams.map(textsIn)).toEqual([['anybody?'], ['anybody?']])
  })

  const lies: readonly (readonly [string, readonly KeptFrame[]])[] = [
    ['receipts for what was not sent', [HELLO, receipt(77)]],
    ['messages', [HELLO, { type: 'message', id: 1, inbox: 'root', payload: utf8('x') }]],
    ['two opening frames', [HELLO, HELLO]]
  ]
  test.each(lies)('is reset when %s come back', async (_, answer) => {
    let resets = 0
    const node = await startNode({
      [KEPT_PROTOCOL]: (stream) => {
        stream.addEventListener('message', () => void stream.send(encodeFrames(answer)), { once: true })
        stream.addEventListener('close', () => {
          if (stream.status === 'reset') resets += 1
        })
      }
    })
    const host = await startHost()
    const peer = await meet(host, node)
    await expect(host.send(peer, 'root', utf8('x'))).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
    await eventually(() => resets === 2)
  })

  test('to a peer that takes nothing holds up nobody else, and only so much waits for it', async () => {
    const node = await startNode({
      [KEPT_PROTOCOL]: (stream) => {
        stream.send(encodeFrames([HELLO]))
        stream.pause()
      }
    })
    const host = await startHost({ queuedPerPeer: 20, queuedBytesPerPeer: bytes(3_000_000), sendTimeout: millis(1500) })
    const stuck = await meet(host, node)
    const other = await startHost()
    const received = record(other)
    await host.connect(addressOf(other))
    const sends = Array.from({ length: 25 }, () => host.send(stuck, 'root', utf8('x')))
    const outcomes = Promise.allSettled(sends)
    for (let turn = 0; turn < 20; turn += 1) await host.send(other.peerId, 'root', utf8(`${turn}`))
    await eventually(() => received.length === 20)
    const failures = (await outcomes).map((outcome) =>
      outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : ''
    )
    expect(failures.filter((code) => code === 'NETWORK_BUSY')).toHaveLength(5)
    expect(failures.filter((code) => code === 'BASE_TIMEOUT')).toHaveLength(20)
    expect(host.stats().sending).toBe(0)
  })

  test('is followed by a new one when the peer comes back', async () => {
    const [near, far] = await pair()
    const received = record(far)
    await near.send(far.peerId, 'root', utf8('before'))
    const address = addressOf(far)
    await far.stop()
    await eventually(() => near.stats().keptStreams === 0)
    await expect(near.send(far.peerId, 'root', utf8('x'))).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
    await far.start()
    await near.connect(addressOf(far))
    expect(address).not.toBe('')
    await near.send(far.peerId, 'root', utf8('after'))
    await eventually(() => received.includes('after'))
  })

  test('lets go of a frame whose sender gave up', async () => {
    const node = await startNode({
      [KEPT_PROTOCOL]: (stream) => {
        stream.send(encodeFrames([HELLO]))
      }
    })
    const host = await startHost()
    const peer = await meet(host, node)
    const giveUp = new AbortController()
    const sending = host.send(peer, 'root', utf8('x'), { signal: giveUp.signal })
    giveUp.abort()
    await expect(sending).rejects.toMatchObject({ code: 'BASE_CANCELLED' })
    expect(host.stats().sending).toBe(0)
  })
})
