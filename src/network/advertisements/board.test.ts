import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { fromUtf8, hours, millis, silentLogger, systemClock, utf8 } from '../../base/index.ts'
import { generateKeyPair } from '../../identity/index.ts'
import { type Board, createBoard, type RecordTables } from './board.ts'
import { recordKey, signAdvertisement } from './record.ts'

const NAMESPACE = 'nunet-dht-1'

/** Hash tables of a whole network in one place, which keep whatever they are given. */
interface Network {
  readonly records: Map<string, Uint8Array[]>
  readonly providers: Map<string, Set<string>>
  now: number
}

function createNetwork(): Network {
  return { records: new Map(), providers: new Map(), now: 1_800_000_000_000 }
}

function newKey(): PrivateKey {
  return privateKeyFromProtobuf(generateKeyPair().exportPrivate())
}

function join(network: Network, privateKey = newKey()): { readonly board: Board; readonly peer: string } {
  const self = peerIdFromPrivateKey(privateKey)
  const providersOf = (cid: CID): Set<string> => {
    const known = network.providers.get(cid.toString()) ?? new Set()
    network.providers.set(cid.toString(), known)
    return known
  }
  const tables: RecordTables = {
    provide: async (cid) => void providersOf(cid).add(self.toString()),
    cancelReprovide: async () => undefined,
    async *findProviders(cid) {
      for (const peer of providersOf(cid)) yield { id: peerOf(peer), multiaddrs: [] }
    },
    put: async (key, value) => {
      const name = fromUtf8(key)
      network.records.set(name, [...(network.records.get(name) ?? []), value])
    },
    async *get(key) {
      yield* network.records.get(fromUtf8(key)) ?? []
    }
  }
  const clock = { ...systemClock, now: () => millis(network.now) }
  return {
    board: createBoard({ self, privateKey, namespace: NAMESPACE, tables, clock, log: silentLogger }),
    peer: self.toString()
  }
}

const peers = new Map<string, ReturnType<typeof peerIdFromPrivateKey>>()

function peerOf(text: string) {
  const peer = peers.get(text)
  if (peer === undefined) throw new Error(`nobody is called ${text}`)
  return peer
}

function member(network: Network): { readonly board: Board; readonly peer: string; readonly key: PrivateKey } {
  const key = newKey()
  const self = peerIdFromPrivateKey(key)
  peers.set(self.toString(), self)
  return { ...join(network, key), key }
}

const { signal } = new AbortController()

async function heard(board: Board): Promise<string[]> {
  return (await board.query('relay', signal)).map(({ peer, data }) => `${peer}: ${fromUtf8(data)}`).sort()
}

describe('a query', () => {
  test('finds what others say, not what this node says, and the newest of each', async () => {
    const network = createNetwork()
    const [first, second] = [member(network), member(network)]
    await first.board.advertise('relay', utf8('old'), signal)
    network.now += 2000
    await first.board.advertise('relay', utf8('new'), signal)
    await second.board.advertise('relay', utf8('here'), signal)
    expect(await heard(member(network).board)).toEqual([`${first.peer}: new`, `${second.peer}: here`].sort())
    expect(await heard(first.board)).toEqual([`${second.peer}: here`])
  })

  test('leaves out what was taken back, and what is too old', async () => {
    const network = createNetwork()
    const [first, reader] = [member(network), member(network)]
    await first.board.advertise('relay', utf8('here'), signal)
    network.now += 2000
    await first.board.unadvertise('relay', signal)
    expect(await heard(reader.board)).toEqual([])
    await first.board.advertise('relay', utf8('again'), signal)
    network.now += hours(49)
    expect(await heard(reader.board)).toEqual([])
  })

  test('is not spoilt by bad records', async () => {
    const network = createNetwork()
    const [good, bad, reader] = [member(network), member(network), member(network)]
    await good.board.advertise('relay', utf8('here'), signal)
    await bad.board.advertise('relay', utf8('there'), signal)
    const name = fromUtf8(recordKey(NAMESPACE, 'relay', good.peer))
    const timestamp = BigInt(network.now / 1000 + 60)
    const stolen = await signAdvertisement(bad.key, { peer: good.peer, timestamp, data: utf8('mine') })
    network.records.set(name, [utf8('nonsense'), stolen, ...(network.records.get(name) ?? [])])
    network.records.set(fromUtf8(recordKey(NAMESPACE, 'relay', bad.peer)), [new Uint8Array(0)])
    expect(await heard(reader.board)).toEqual([`${good.peer}: here`])
  })
})
