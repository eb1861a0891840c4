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

/** Bounds the frames that are being read, by number and by bytes, in all and per peer. */
export interface ReadBudget {
  /** Takes a place for one more frame of a peer. Throws `NETWORK_FRAME_REFUSED` when there is none. */
  enter(peer: string): ReadLease
}

/** Creates the budget of one receiver; `counters.reading` shows how many places are taken. */
export function createReadBudget(limits: NetworkLimits, counters: Counters): ReadBudget {
  const byPeer = new Map<string, { frames: number; bytes: number }>()
  let bytesInAll = 0

  return {
    enter(peer) {
      const held = byPeer.get(peer) ?? { frames: 0, bytes: 0 }
      if (held.frames >= limits.readsPerPeer)
        throw new FrameRefusedError(`${held.frames} frames of this peer are being read already`)
      if (counters.reading >= limits.reads) throw new FrameRefusedError(`${counters.reading} frames are being read already`)
      byPeer.set(peer, held)
      held.frames += 1
      counters.reading += 1
      let own = 0
      return {
        reserve(bytes) {
          if (held.bytes + bytes > limits.readBytesPerPeer) {
            throw new FrameRefusedError(
              `unfinished frames of this peer hold ${held.bytes} of ${limits.readBytesPerPeer} bytes already`
            )
          }
          if (bytesInAll + bytes > limits.readBytes) {
            throw new FrameRefusedError(`unfinished frames hold ${bytesInAll} of ${limits.readBytes} bytes already`)
          }
          own += bytes
          held.bytes += bytes
          bytesInAll += bytes
        },
        release() {
          held.bytes -= own
          bytesInAll -= own
          held.frames -= 1
          counters.reading -= 1
          if (held.frames === 0) byPeer.delete(peer)
        }
      }
    }
  }
}
