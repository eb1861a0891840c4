import type { PeerId, PeerInfo, PrivateKey } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import {
  type Clock,
  errorMessage,
  hours,
  type Logger,
  type Millis,
  mapConcurrently,
  minutes,
  seconds,
  withTimeout
} from '../../base/index.ts'
import { contentId } from '../discovery.ts'
import { type Advertisement, readAdvertisement, recordKey, signAdvertisement } from './record.ts'

/** The part of the hash tables that advertisements use. */
export interface RecordTables {
  provide(cid: CID, options: { readonly signal: AbortSignal }): Promise<void>
  cancelReprovide(cid: CID): Promise<void>
  findProviders(cid: CID, options: { readonly signal: AbortSignal }): AsyncIterable<PeerInfo>
  put(key: Uint8Array, value: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>
  /** All records that peers have for a key; some may be bad. */
  get(key: Uint8Array, options: { readonly signal: AbortSignal }): AsyncIterable<Uint8Array>
}

/** What advertising needs. */
export interface BoardOptions {
  readonly self: PeerId
  readonly privateKey: PrivateKey
  readonly namespace: string
  readonly tables: RecordTables
  readonly clock: Clock
  readonly log: Logger
}

/** What a node said under a key. */
export interface FoundAdvertisement {
  readonly peer: PeerId
  readonly data: Uint8Array
}

/** Nodes tell each other in the hash tables what they offer (B §5.2). */
export interface Board {
  /** Says something under a key, and again every six hours; replaces what this node said before. Failures are only logged. */
  advertise(key: string, data: Uint8Array, signal: AbortSignal): Promise<void>
  /** Takes it back. */
  unadvertise(key: string, signal: AbortSignal): Promise<void>
  /** What others say under a key, in no order; those whose record is missing or bad are left out. */
  query(key: string, signal: AbortSignal): Promise<readonly FoundAdvertisement[]>
  /** Repeats what this node says until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>
}

const REPEAT_EVERY = hours(6)
const QUERY_TIMEOUT = minutes(1)
const GET_TIMEOUT = seconds(15)

/** Nodes that are asked about in one query. */
const MAX_FOUND = 40

/** Creates the board of a node. */
export function createBoard({ self, privateKey, namespace, tables, clock, log }: BoardOptions): Board {
  const said = new Map<string, Uint8Array>()

  async function put(key: string, data: Uint8Array, signal: AbortSignal): Promise<void> {
    const timestamp = BigInt(Math.floor(clock.now() / 1000))
    const record = await signAdvertisement(privateKey, { peer: self.toString(), timestamp, data })
    await tables.put(recordKey(namespace, key, self.toString()), record, { signal })
  }

  async function within<T>(what: string, limit: Millis, signal: AbortSignal, work: (inner: AbortSignal) => Promise<T>) {
    try {
      return await withTimeout(clock, limit, what, work, { signal })
    } catch (error) {
      if (!signal.aborted) log.debug(`${what} failed`, { error: errorMessage(error) })
      return undefined
    }
  }

  function publish(key: string, data: Uint8Array, signal: AbortSignal): Promise<void> {
    return within(`advertising under ${key}`, QUERY_TIMEOUT, signal, async (inner) => {
      await put(key, data, inner)
      await tables.provide(await contentId(key), { signal: inner })
    })
  }

  /** The newest good record of a peer. */
  async function read(key: string, peer: PeerId, signal: AbortSignal): Promise<Advertisement | undefined> {
    const name = recordKey(namespace, key, peer.toString())
    let newest: Advertisement | undefined
    await within(`reading what ${peer} says under ${key}`, GET_TIMEOUT, signal, async (inner) => {
      for await (const record of tables.get(name, { signal: inner })) {
        const found = await readAdvertisement(name, record, { namespace, now: clock.now() })
        if (found.ok && found.value.timestamp > (newest?.timestamp ?? -1n)) newest = found.value
      }
    })
    return newest
  }

  return {
    async advertise(key, data, signal) {
      said.set(key, data)
      await publish(key, data, signal)
    },
    async unadvertise(key, signal) {
      if (!said.delete(key)) return
      await within(`taking back what was said under ${key}`, QUERY_TIMEOUT, signal, async (inner) => {
        await tables.cancelReprovide(await contentId(key))
        await put(key, new Uint8Array(0), inner)
      })
    },
    async query(key, signal) {
      const peers = new Map<string, PeerId>()
      await within(`looking for what is said under ${key}`, QUERY_TIMEOUT, signal, async (inner) => {
        for await (const { id } of tables.findProviders(await contentId(key), { signal: inner })) {
          if (!id.equals(self)) peers.set(id.toString(), id)
          if (peers.size >= MAX_FOUND) break
        }
      })
      const found = await mapConcurrently([...peers.values()], 8, async (peer) => ({ peer, said: await read(key, peer, signal) }))
      return found.flatMap(({ peer, said: record }) =>
        record === undefined || record.data.length === 0 ? [] : [{ peer, data: record.data }]
      )
    },
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(REPEAT_EVERY, { signal }).catch(() => undefined) // aborted: the loop ends
        for (const [key, data] of said) await publish(key, data, signal)
      }
    }
  }
}
