import { type Clock, type Millis, millis, minutes, seconds } from '../../base/index.ts'
import type { Amount, GpuShare, ResourceLedger } from '../resources/index.ts'
import type { BidItem } from './answer.ts'

/** How long a provider honours a bid (C §8.16). */
export const BID_LIFETIME = minutes(5)

/**
 * How long a bid keeps its resources from others.
 *
 * Orchestrators collect bids for 5 s and then commit; a loser's resources must not stay blocked for the life of the bid.
 */
const HOLD_TIME = seconds(20)

/** Bids remembered at most; more are not made. */
const MAX_BIDS = 1000

/** A bid that was made. */
export interface LiveBid {
  /** The DID that asked. */
  readonly asker: string
  readonly item: BidItem
  /** The share of a card for each of the item's needs, in their order. */
  readonly gpus: readonly GpuShare[]
  readonly expiresAt: Millis
}

/** The bids that this provider has made and still honours; in memory, a restart forgets them. */
export interface Bids {
  /** Records a bid and holds its resources; false when they are gone, too many bids are out, or somebody else has this one. */
  make(ensembleId: string, bid: Omit<LiveBid, 'expiresAt'>): boolean
  find(ensembleId: string, nodeId: string): LiveBid | undefined
  /** What is free for an asker: what an earlier bid of the same holds it may have again. */
  free(ensembleId: string, nodeId: string): Amount
  /** The hold of a bid in the ledger, out of which its commits are taken. */
  holdOf(ensembleId: string, nodeId: string): string
}

/** Creates an empty record of bids. */
export function createBids({ clock, ledger }: { readonly clock: Clock; readonly ledger: ResourceLedger }): Bids {
  const bids = new Map<string, LiveBid>()
  const keyOf = (ensembleId: string, nodeId: string): string => JSON.stringify([ensembleId, nodeId])

  function sweep(): void {
    const now = clock.now()
    for (const [key, { expiresAt }] of bids) if (expiresAt < now) bids.delete(key)
  }

  return {
    make(ensembleId, bid) {
      sweep()
      const key = keyOf(ensembleId, bid.item.nodeId)
      const other = bids.get(key)
      if (other !== undefined && other.asker !== bid.asker) return false
      if (bids.size >= MAX_BIDS && other === undefined) return false
      if (!ledger.hold(key, { ...bid.item.amount, gpus: bid.gpus }, millis(clock.now() + HOLD_TIME))) return false
      bids.set(key, { ...bid, expiresAt: millis(clock.now() + BID_LIFETIME) })
      return true
    },
    find(ensembleId, nodeId) {
      sweep()
      return bids.get(keyOf(ensembleId, nodeId))
    },
    free: (ensembleId, nodeId) => ledger.free(keyOf(ensembleId, nodeId)),
    holdOf: keyOf
  }
}
