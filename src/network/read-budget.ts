import type { Counters } from './counters.ts'
import { FrameRefusedError } from './errors.ts'
import type { NetworkLimits } from './limits.ts'

/** The part of a budget that one frame holds while it is read. */
export interface ReadLease {
  /** Takes bytes of memory for the frame. Throws `NETWORK_FRAME_REFUSED` when its peer, or all peers together, hold too many. */
  reserve(bytes: number): void
  /** Gives back the place and all bytes; to be called once. */
  release(): void
}

/**
 * Bounds the frames that are being read, by number and by bytes, in all and per peer.
 *
 * When all places, or all bytes, are taken, a peer that holds few takes those of the one that holds most: however many peers read
 * slowly on purpose, nobody else is kept from sending.
 */
export interface ReadBudget {
  /**
   * Takes a place for one more frame of a peer. Throws `NETWORK_FRAME_REFUSED` when there is none.
   *
   * @param evict - Called when the place goes to somebody else: the frame is to be given up.
   */
  enter(peer: string, evict?: () => void): ReadLease
}

interface Held {
  /** In order of arrival. */
  readonly leases: Set<Lease>
  bytes: number
}

interface Lease {
  readonly peer: string
  readonly evict: () => void
  bytes: number
}

/** Creates the budget of one receiver; `counters.reading` shows how many places are taken. */
export function createReadBudget(limits: NetworkLimits, counters: Counters): ReadBudget {
  const byPeer = new Map<string, Held>()
  let bytesInAll = 0

  function give(lease: Lease): void {
    const held = byPeer.get(lease.peer)
    if (held?.leases.delete(lease) !== true) return // it was evicted before
    held.bytes -= lease.bytes
    bytesInAll -= lease.bytes
    counters.reading -= 1
    if (held.leases.size === 0) byPeer.delete(lease.peer)
  }

  function take(lease: Lease | undefined): boolean {
    if (lease === undefined) return false
    give(lease)
    lease.evict()
    return true
  }

  /** The oldest frame of the peer with most frames, if that peer would still have more than the one that needs a place. */
  function frameFor(count: number): Lease | undefined {
    const most = largest(byPeer.values(), ({ leases }) => leases.size)
    return most !== undefined && most.leases.size > count ? [...most.leases][0] : undefined
  }

  /** The largest frame of the peer with most bytes, if that peer holds more than the one that needs them would. */
  function bytesFor(wouldHold: number): Lease | undefined {
    const most = largest(byPeer.values(), ({ bytes }) => bytes)
    return most === undefined || most.bytes <= wouldHold ? undefined : largest(most.leases, ({ bytes }) => bytes)
  }

  function reserve(lease: Lease, held: Held, bytes: number): void {
    if (held.bytes + bytes > limits.readBytesPerPeer) {
      throw new FrameRefusedError(`unfinished frames of this peer hold ${held.bytes} of ${limits.readBytesPerPeer} bytes already`)
    }
    while (bytesInAll + bytes > limits.readBytes) {
      if (!take(bytesFor(held.bytes + bytes))) {
        throw new FrameRefusedError(`unfinished frames hold ${bytesInAll} of ${limits.readBytes} bytes already`)
      }
    }
    lease.bytes += bytes
    held.bytes += bytes
    bytesInAll += bytes
  }

  return {
    enter(peer, evict = () => undefined) {
      const count = byPeer.get(peer)?.leases.size ?? 0
      if (count >= limits.readsPerPeer) throw new FrameRefusedError(`${count} frames of this peer are being read already`)
      if (counters.reading >= limits.reads && !take(frameFor(count + 1))) {
        throw new FrameRefusedError(`${counters.reading} frames are being read already`)
      }
      const held = byPeer.get(peer) ?? { leases: new Set(), bytes: 0 }
      byPeer.set(peer, held)
      const lease: Lease = { peer, evict, bytes: 0 }
      held.leases.add(lease)
      counters.reading += 1
      return {
        reserve(bytes) {
          if (!held.leases.has(lease)) throw new FrameRefusedError('its place went to another peer')
          reserve(lease, held, bytes)
        },
        release: () => give(lease)
      }
    }
  }
}

function largest<T>(items: Iterable<T>, sizeOf: (item: T) => number): T | undefined {
  let most: T | undefined
  for (const item of items) if (most === undefined || sizeOf(item) > sizeOf(most)) most = item
  return most
}
