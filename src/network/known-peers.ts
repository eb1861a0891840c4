import type { IdentifyResult, PeerId } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type Clock, type Codec, err, errorMessage, isJsonObject, type Logger, type Millis, ok, seconds } from '../base/index.ts'
import { isRelayed, withoutPeer } from './address-kinds.ts'
import { parsePeerId } from './addresses.ts'

/** A peer that was connected, with the addresses at which to try it again. */
export interface RememberedPeer {
  readonly peer: string
  /** Multiaddresses without the peer id, the one that worked first. */
  readonly addresses: readonly string[]
  /** When it was last connected. */
  readonly seen: Millis
  /** Whether this node dialled it: its addresses are more than a claim. */
  readonly dialled: boolean
}

/** Where remembered peers are kept over restarts. */
export interface PeerStorage {
  load(): Promise<readonly RememberedPeer[]>
  /** Replaces all that is kept. */
  save(peers: readonly RememberedPeer[]): Promise<void>
}

/** The storage of a node that keeps nothing over restarts. */
export const NO_STORAGE: PeerStorage = {
  load: async () => [],
  save: async () => undefined
}

/** What remembering peers needs. */
export interface KnownPeersOptions {
  readonly self: PeerId
  readonly storage: PeerStorage
  readonly isConnected: (peer: PeerId) => boolean
  readonly clock: Clock
  readonly log: Logger
}

/** A peer to dial. */
export interface DialTarget {
  readonly peer: PeerId
  readonly addresses: readonly Multiaddr[]
}

/** The peers that a node can go back to after a restart, whatever became of the bootstrap peers. */
export interface KnownPeers {
  /** Reads what was kept; a failure is logged and leaves nothing. */
  load(): Promise<void>
  /** All of them, those first that were dialled and last seen. */
  targets(): readonly DialTarget[]
  /** Takes in what a peer said when it was identified. */
  identified(result: IdentifyResult): void
  disconnected(peer: PeerId): void
  /** Keeps what changed now and then until the signal is aborted, and then once more. */
  run(signal: AbortSignal): Promise<void>
}

/** Those that were dialled and others have places of their own, because the others may have made their addresses up. */
const MAX_DIALLED = 48
const MAX_OTHERS = 16
const MAX_ADDRESSES = 8

const SAVE_PAUSE = seconds(60)

/** Creates an empty memory. */
export function createKnownPeers({ self, storage, isConnected, clock, log }: KnownPeersOptions): KnownPeers {
  const peers = new Map<string, RememberedPeer>()
  let isSaved = true

  function remember(remembered: RememberedPeer): void {
    peers.set(remembered.peer, remembered)
    for (const { peer } of surplus([...peers.values()])) peers.delete(peer)
    isSaved = false
  }

  async function save(): Promise<void> {
    const now = clock.now()
    for (const remembered of peers.values()) {
      if (isConnected(parsePeerId(remembered.peer))) peers.set(remembered.peer, { ...remembered, seen: now })
    }
    try {
      await storage.save(ordered([...peers.values()]))
      isSaved = true
    } catch (error) {
      log.warn('could not keep the known peers', { error: errorMessage(error) })
    }
  }

  return {
    async load() {
      try {
        for (const remembered of ordered(await storage.load())) remember(remembered)
      } catch (error) {
        log.warn('could not read the peers known before, so that only bootstrap peers are tried', { error: errorMessage(error) })
      }
      isSaved = true
    },
    targets: () => ordered([...peers.values()]).flatMap(toTarget),
    identified({ peerId, listenAddrs, connection }) {
      if (peerId.equals(self) || connection.limits !== undefined) return
      const dialled = connection.direction === 'outbound'
      const before = peers.get(peerId.toString())
      const worked = dialled ? [connection.remoteAddr] : []
      const told = [...worked, ...listenAddrs]
        .filter((address) => !isRelayed(address))
        .map((address) => `${withoutPeer(address)}`)
      const addresses = [...new Set([...(dialled ? [] : (before?.addresses ?? [])), ...told])].slice(0, MAX_ADDRESSES)
      if (addresses.length === 0) return
      remember({ peer: peerId.toString(), addresses, seen: clock.now(), dialled: dialled || before?.dialled === true })
    },
    disconnected(peer) {
      const before = peers.get(peer.toString())
      if (before !== undefined) remember({ ...before, seen: clock.now() })
    },
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(SAVE_PAUSE, { signal }).catch(() => {
          isSaved = false // aborted: it is kept once more, with the time of those that are connected now
        })
        if (!isSaved) await save()
      }
    }
  }
}

function ordered(peers: readonly RememberedPeer[]): readonly RememberedPeer[] {
  return [...peers].sort((a, b) => Number(b.dialled) - Number(a.dialled) || b.seen - a.seen)
}

function surplus(peers: readonly RememberedPeer[]): readonly RememberedPeer[] {
  const newest = ordered(peers)
  const dialled = newest.filter((peer) => peer.dialled)
  const others = newest.filter((peer) => !peer.dialled)
  return [...dialled.slice(MAX_DIALLED), ...others.slice(MAX_OTHERS)]
}

/** What was kept may have been changed by hand or by another version. */
function toTarget({ peer, addresses }: RememberedPeer): DialTarget[] {
  try {
    return [{ peer: parsePeerId(peer), addresses: addresses.slice(0, MAX_ADDRESSES).map((text) => multiaddr(text)) }]
  } catch {
    return []
  }
}

/** How remembered peers look in a store; items that are none are left out. */
export const rememberedPeersCodec: Codec<readonly RememberedPeer[]> = {
  decode(wire) {
    if (!Array.isArray(wire)) return err([{ path: '', message: 'must be a list' }])
    return ok(wire.slice(0, MAX_DIALLED + MAX_OTHERS).filter(isRemembered))
  },
  encode: (peers) => peers.map(({ peer, addresses, seen, dialled }) => ({ peer, addresses, seen, dialled }))
}

function isRemembered(wire: unknown): wire is RememberedPeer {
  if (!isJsonObject(wire)) return false
  const { peer, addresses, seen, dialled } = wire
  const isTextList = Array.isArray(addresses) && addresses.every((address) => typeof address === 'string')
  return typeof peer === 'string' && isTextList && typeof seen === 'number' && typeof dialled === 'boolean'
}
