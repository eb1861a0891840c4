import { type Millis, millis } from '../../base/index.ts'

/** A peer that could relay for this node. */
export interface RelayCandidate {
  /** Its peer id. */
  readonly peer: string
  /** Whether the operator named it as a bootstrap node. */
  readonly isBootstrap: boolean
}

/** What a peer said of itself when it was identified. */
export interface IdentifiedPeer extends RelayCandidate {
  readonly isRelay: boolean
  /** Whether others can dial it, as far as is known. */
  readonly isDialable: boolean
  /** Which connection it said so on. */
  readonly connection: string
}

/** Peers that could relay, in the order in which they shall be asked. */
export interface RelayCandidates {
  /**
   * Takes in what a peer said; on a new connection it may be asked at once. One that does not relay any more, or that nobody could
   * dial, is forgotten.
   */
  identified(peer: IdentifiedPeer): void
  /** Does not ask this one again before `until`. */
  postpone(peer: string, until: Millis): void
  /** Those that may be asked now: bootstrap nodes first, then in the order in which they came. */
  ready(now: Millis): readonly RelayCandidate[]
  /** When the next postponed one may be asked; nothing when none waits. */
  nextReady(now: Millis): Millis | undefined
}

/** Creates an empty list. It remembers at most `limit` candidates, the oldest ones and all bootstrap nodes. */
export function createRelayCandidates(limit: number): RelayCandidates {
  const candidates = new Map<string, RelayCandidate>()
  const postponed = new Map<string, Millis>()
  const connections = new Map<string, string>()

  return {
    identified({ peer, isBootstrap, isRelay, isDialable, connection }) {
      if (!isRelay || !isDialable) {
        candidates.delete(peer)
        connections.delete(peer)
        postponed.delete(peer)
      } else if (candidates.has(peer) || isBootstrap || candidates.size < limit) {
        if (connections.get(peer) !== connection) postponed.delete(peer)
        candidates.set(peer, { peer, isBootstrap })
        connections.set(peer, connection)
      }
    },
    postpone(peer, until) {
      if (candidates.has(peer)) postponed.set(peer, until)
    },
    ready(now) {
      const free = [...candidates.values()].filter(({ peer }) => (postponed.get(peer) ?? 0) <= now)
      return [...free.filter(({ isBootstrap }) => isBootstrap), ...free.filter(({ isBootstrap }) => !isBootstrap)]
    },
    nextReady(now) {
      const waiting = [...postponed.values()].filter((until) => until > now)
      return waiting.length === 0 ? undefined : millis(Math.min(...waiting))
    }
  }
}
