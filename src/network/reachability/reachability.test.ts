import type { Connection, IdentifyResult, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { lpStream, streamPair } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/network-hosts.ts'
import { millis, minutes, silentLogger, systemClock, systemRandom } from '../../base/index.ts'
import { generateKeyPair } from '../../identity/index.ts'
import { type AddressBook, createAddressBook } from '../address-book.ts'
import { createDialBack } from './dial-back.ts'
import { createReachabilityWatch, type Reachability, type ReachabilityWatch } from './watch.ts'
import {
  AUTONAT_PROTOCOL,
  type DialRequest,
  type DialResponse,
  decodeDialResponse,
  encodeDialRequest,
  encodeDialResponse
} from './wire.ts'

const self = peerIdFromString(generateKeyPair().peerId)
const other: PeerId = peerIdFromString(generateKeyPair().peerId)
const OWN = multiaddr('/ip4/9.9.9.9/tcp/9000')

/** A connection to `other`; `open` makes a stream for the protocol. */
function connectionAt(
  remoteAddr: string,
  open: () => Promise<Stream> = () => Promise.reject(new Error('closed')),
  remotePeer = other
): Connection {
  return { remotePeer, remoteAddr: multiaddr(remoteAddr), newStream: open } as unknown as Connection
}

describe('answering whether a peer can be reached', () => {
  const dialled: string[] = []

  async function answered(
    request: DialRequest | Uint8Array,
    options: {
      readonly from?: string
      readonly peer?: PeerId
      readonly fails?: boolean
      readonly dialBack?: ReturnType<typeof createDialBack>
    } = {}
  ): Promise<DialResponse> {
    const { from = '/ip4/9.9.9.9/tcp/50000', fails = false } = options
    const dial = async (address: Multiaddr): Promise<Connection> => {
      dialled.push(address.toString())
      if (fails) throw new Error('nobody there')
      return { close: async () => undefined } as unknown as Connection
    }
    const dialBack = options.dialBack ?? createDialBack({ dial, clock: systemClock, log: silentLogger })
    const [near, far] = await streamPair()
    const messages = lpStream(near)
    void dialBack(far, connectionAt(from, undefined, options.peer))
    await messages.write(request instanceof Uint8Array ? request : encodeDialRequest(request))
    const response = decodeDialResponse((await messages.read()).subarray())
    if (response === undefined) throw new Error('the answer is none')
    return response
  }

  const peer = other.toMultihash().bytes
  const asking = (...addresses: string[]): DialRequest => ({ peer, addresses: addresses.map((text) => multiaddr(text).bytes) })

  test.each<[string, DialRequest | Uint8Array, string, DialResponse['status']]>([
    ['something else', Uint8Array.of(1, 2, 3), '/ip4/9.9.9.9/tcp/1', 'bad-request'],
    ['another peer', { peer: self.toMultihash().bytes, addresses: [OWN.bytes] }, '/ip4/9.9.9.9/tcp/1', 'bad-request'],
    ['another IP address', asking('/ip4/9.9.9.10/tcp/9000'), '/ip4/9.9.9.9/tcp/1', 'refused'],
    ['a name', asking('/dns4/victim.example.org/tcp/80'), '/ip4/9.9.9.9/tcp/1', 'refused'],
    ['a name behind its own IP address', asking('/ip4/9.9.9.9/tcp/443/tls/sni/10.0.0.7/ws'), '/ip4/9.9.9.9/tcp/1', 'refused'],
    ['a relay', asking(`/ip4/9.9.9.9/tcp/9000/p2p/${other}/p2p-circuit`), '/ip4/9.9.9.9/tcp/1', 'refused'],
    ['an address of a local network', asking('/ip4/10.0.0.7/tcp/9000'), '/ip4/10.0.0.7/tcp/1', 'refused'],
    ['no address', asking(), '/ip4/9.9.9.9/tcp/1', 'refused']
  ])('refuses %s and dials nobody', async (_what, request, from, status) => {
    dialled.length = 0
    expect(await answered(request, { from })).toMatchObject({ status })
    expect(dialled).toEqual([])
  })

  test('says where it reached the peer', async () => {
    const response = await answered(asking('/ip4/9.9.9.9/tcp/9000'))
    expect(response.status).toBe('ok')
    expect(multiaddr(response.address ?? Uint8Array.of()).toString()).toBe('/ip4/9.9.9.9/tcp/9000')
    expect(dialled.at(-1)).toBe(`/ip4/9.9.9.9/tcp/9000/p2p/${other}`)
  })

  test('says that it could not', async () => {
    const response = await answered(asking('/ip4/9.9.9.9/tcp/9000'), { fails: true })
    expect(response).toEqual({ status: 'dial-error', text: 'nobody there' })
  })

  test('tries only so many addresses, and one peer only so often in a minute', async () => {
    dialled.length = 0
    let now = millis(0)
    const clock = { ...systemClock, now: () => now }
    const dial = async (address: Multiaddr): Promise<Connection> => {
      dialled.push(address.toString())
      throw new Error('nobody there')
    }
    const dialBack = createDialBack({ dial, clock, log: silentLogger })
    const many = asking(...Array.from({ length: 50 }, (_, index) => `/ip4/9.9.9.9/tcp/${9000 + index}`))
    for (let time = 0; time < 3; time += 1) expect(await answered(many, { dialBack })).toMatchObject({ status: 'dial-error' })
    expect(dialled).toHaveLength(24)
    expect(await answered(many, { dialBack })).toMatchObject({ status: 'refused', text: 'too many requests' })
    now = minutes(1)
    expect(await answered(many, { dialBack })).toMatchObject({ status: 'dial-error' })
  })

  test('one site only so often in a minute, however many peers it makes, and others still', async () => {
    const dial = (): Promise<Connection> => Promise.reject(new Error('nobody there'))
    const dialBack = createDialBack({ dial, clock: { ...systemClock, now: () => millis(0) }, log: silentLogger })
    const ask = async (ip: string): Promise<DialResponse['status']> => {
      const from = peerIdFromString(generateKeyPair().peerId)
      const request = { peer: from.toMultihash().bytes, addresses: [multiaddr(`/ip6/${ip}/tcp/9000`).bytes] }
      return (await answered(request, { dialBack, peer: from, from: `/ip6/${ip}/tcp/1` })).status
    }
    const site: string[] = []
    for (let index = 1; index < 40; index += 1) site.push(await ask(`2a01:4f8:1:1::${index}`))
    expect(site.filter((status) => status === 'dial-error')).toHaveLength(6)
    expect(await ask('2a01:4f8:1:2::1')).toBe('dial-error')
  })
})

const ports = { clock: systemClock, random: systemRandom, log: silentLogger }

describe('finding out whether this node can be reached', () => {
  interface Scene {
    readonly watch: ReachabilityWatch
    readonly book: AddressBook
    readonly changes: Reachability[]
    /** Lets a peer be identified that will answer a question so. */
    meet(response: DialResponse, at?: string, protocols?: readonly string[]): void
    questions: number
    /** Waits until so many questions were answered, and the next one may be asked. */
    asked(count: number): Promise<void>
  }

  function createScene(isTrusted = false): Scene {
    const known = [{ multiaddr: multiaddr('/ip4/192.168.1.5/tcp/9000'), verified: true, type: 'transport' as const }]
    const book = createAddressBook({ self, known: () => known, changed: () => undefined })
    const changes: Reachability[] = []
    let answers = 0
    const options = { self, book, connections: () => [], isTrusted: () => isTrusted, ...ports }
    const watch = createReachabilityWatch(options)
    watch.onChange((reachability) => changes.push(reachability))
    const scene: Scene = {
      watch,
      book,
      changes,
      questions: 0,
      asked: (count) => eventually(() => answers === count),
      meet(response, at = '/ip4/8.8.8.8/tcp/9000', protocols = [AUTONAT_PROTOCOL]) {
        const open = async (): Promise<Stream> => {
          scene.questions += 1
          const [near, far] = await streamPair()
          near.addEventListener('close', () => setImmediate(() => (answers += 1)))
          const messages = lpStream(far)
          void messages
            .read()
            .then(() => messages.write(encodeDialResponse(response)))
            .then(() => far.close())
          return near
        }
        const observedAddr = multiaddr('/ip4/9.9.9.9/tcp/40000')
        watch.identified({
          peerId: other,
          protocols,
          connection: connectionAt(at, open),
          observedAddr
        } as unknown as IdentifyResult)
      }
    }
    return scene
  }

  test('asks nobody who is in the local network, came through a relay or cannot answer', () => {
    const scene = createScene()
    const response = { status: 'ok', text: '' } as const
    scene.meet(response, '/ip4/192.168.1.9/tcp/9000')
    scene.meet(response, `/ip4/8.8.8.8/tcp/9000/p2p/${self}/p2p-circuit`)
    scene.meet(response, '/ip4/8.8.8.8/tcp/9000', [])
    expect(scene.questions).toBe(0)
    expect(scene.watch.current()).toBe('unknown')
  })

  test('does not believe one site alone that it reached this node where only peers say that it is', async () => {
    const scene = createScene()
    scene.meet({ status: 'ok', text: '', address: OWN.bytes })
    await scene.asked(1)
    scene.meet({ status: 'ok', text: '', address: OWN.bytes })
    await scene.asked(2)
    expect(scene.watch.current()).toBe('unknown')
    expect(scene.book.announced().map(String)).toEqual([`/ip4/192.168.1.5/tcp/9000/p2p/${self}`])
    scene.meet({ status: 'ok', text: '', address: OWN.bytes }, '/ip4/8.8.4.4/tcp/9000')
    await eventually(() => scene.watch.current() === 'public')
    expect(scene.book.announced().map(String)[0]).toBe(`${OWN}/p2p/${self}`)
  })

  test('believes the first answer of a bootstrap node: public, with the address that worked', async () => {
    const scene = createScene(true)
    scene.meet({ status: 'ok', text: '', address: OWN.bytes })
    await eventually(() => scene.watch.current() === 'public')
    expect(scene.book.announced().map(String)[0]).toBe(`${OWN}/p2p/${self}`)
    expect(scene.changes).toEqual(['public'])
  })

  test('believes the first answer: private', async () => {
    const scene = createScene()
    scene.meet({ status: 'dial-error', text: 'timed out' })
    await eventually(() => scene.watch.current() === 'private')
    expect(scene.changes).toEqual(['private'])
  })

  test.each([
    { status: 'refused', text: '' },
    { status: 'internal-error', text: '' }
  ] as const)('concludes nothing from an answer that says nothing: $status', async (response) => {
    const scene = createScene()
    scene.meet(response)
    scene.meet({ status: 'dial-error', text: '' }) // one question at a time: this one is not asked
    await eventually(() => scene.questions === 1)
    expect(scene.watch.current()).toBe('unknown')
  })

  test('announces no address that was not asked for', async () => {
    const scene = createScene(true)
    scene.book.observed('9.9.9.7', '8.8.4.4')
    scene.meet({ status: 'ok', text: '', address: multiaddr('/ip4/6.6.6.6/tcp/1').bytes })
    await scene.asked(1)
    expect(scene.watch.current()).toBe('unknown')
    expect(scene.book.announced().map(String)).toEqual([`/ip4/192.168.1.5/tcp/9000/p2p/${self}`])
  })
})
