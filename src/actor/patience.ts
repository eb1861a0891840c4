import type { Clock } from '../base/index.ts'

/**
 * Bounds what strangers can make a node compute: a peer whose frames keep being refused is not listened to for a while, before
 * its next frame is even parsed (B §11.1, 11).
 */
export interface Patience {
  /** Whether another frame of this peer may be looked at. */
  allows(peer: string): boolean
  /** One of its frames was refused. */
  strain(peer: string): void
}

/** Refused frames that a peer may send at once, and how many more with each second. */
const BURST = 60
const PER_SECOND = 5

/** Peers remembered at most; the one that was quiet longest is forgiven first. */
const MAX_PEERS = 1024

/** Creates patience with everybody. */
export function createPatience(clock: Clock): Patience {
  const strained = new Map<string, { readonly level: number; readonly at: number }>()

  function level(peer: string): number {
    const entry = strained.get(peer)
    if (entry === undefined) return 0
    return Math.max(0, entry.level - ((clock.now() - entry.at) / 1000) * PER_SECOND)
  }

  return {
    allows: (peer) => level(peer) < BURST,
    strain(peer) {
      const next = level(peer) + 1
      strained.delete(peer)
      strained.set(peer, { level: next, at: clock.now() })
      const [oldest] = strained.size > MAX_PEERS ? strained.keys() : []
      if (oldest !== undefined) strained.delete(oldest)
    }
  }
}
