import { BusyError } from './errors.ts'
import type { NetworkLimits } from './limits.ts'

/** Bounds the sends under way, in number and bytes, in all and per peer: a peer that takes nothing does not use up what others need. */
export interface SendBudget {
  /** Takes room for one frame and returns the release, to be called once. Throws `NETWORK_BUSY` when there is none. */
  enter(peer: string, bytes: number): () => void
}

/** Creates the budget of one sender. */
export function createSendBudget(limits: NetworkLimits): SendBudget {
  const byPeer = new Map<string, { frames: number; bytes: number }>()
  let frames = 0
  let bytesInAll = 0

  return {
    enter(peer, bytes) {
      const held = byPeer.get(peer) ?? { frames: 0, bytes: 0 }
      if (frames >= limits.sends) throw new BusyError(`${frames} sends are under way, more are not taken`)
      if (held.frames >= limits.queuedPerPeer)
        throw new BusyError(`${held.frames} sends to ${peer} are under way, more are not taken`)
      if (held.frames > 0 && held.bytes + bytes > limits.queuedBytesPerPeer) {
        throw new BusyError(`sends to ${peer} under way hold ${held.bytes} of ${limits.queuedBytesPerPeer} bytes already`)
      }
      if (frames > 0 && bytesInAll + bytes > limits.queuedBytes) {
        throw new BusyError(`sends under way hold ${bytesInAll} of ${limits.queuedBytes} bytes already`)
      }
      byPeer.set(peer, held)
      frames += 1
      bytesInAll += bytes
      held.frames += 1
      held.bytes += bytes
      return () => {
        frames -= 1
        bytesInAll -= bytes
        held.frames -= 1
        held.bytes -= bytes
        if (held.frames === 0) byPeer.delete(peer)
      }
    }
  }
}
