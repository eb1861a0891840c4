import type { Connection, PeerId } from '@libp2p/interface'
import { type Clock, errorMessage, type Logger, type Millis, minutes, seconds } from '../base/index.ts'
import type { Reach } from './reach.ts'

/** What getting lost peers back needs. */
export interface ReconnectOptions {
  readonly reach: Reach
  readonly isConnected: (peer: PeerId) => boolean
  /** Whether the peer is worth it: a node of the network, not somebody who came by. */
  readonly isWanted: (peer: PeerId) => Promise<boolean>
  readonly clock: Clock
  readonly log: Logger
}

/** Dials peers again that were lost without anybody wanting it. */
export interface Reconnector {
  /** To be told of every connection that closed. */
  closed(connection: Connection, signal: AbortSignal): void
}

/** Pauses before the tries; the last one is repeated. A repaired network has its connections back within half a minute. */
const PAUSES: readonly Millis[] = [seconds(1), seconds(2), seconds(5), seconds(10), seconds(20)]

/** After this a peer counts as gone; a message to it looks for it anew. */
const LONGEST = minutes(10)

/** Peers that are dialled again at the same time. */
const MAX_LOST = 64

/**
 * Creates a {@link Reconnector}. The side that cannot be dialled must call again, and neither side knows which one that is: so both
 * do, at the addresses that they know.
 */
export function createReconnector({ reach, isConnected, isWanted, clock, log }: ReconnectOptions): Reconnector {
  const lost = new Set<string>()

  async function tryAgain(peer: PeerId, signal: AbortSignal): Promise<void> {
    const until = clock.now() + LONGEST
    for (let tried = 0; clock.now() < until; tried += 1) {
      await clock.sleep(PAUSES[Math.min(tried, PAUSES.length - 1)] ?? LONGEST, { signal })
      if (isConnected(peer)) return
      try {
        await reach.connection(peer, signal)
        log.info('connected again to a peer that was lost', { peer: `${peer}` })
        return
      } catch (error) {
        log.debug('a lost peer does not answer yet', { peer: `${peer}`, error: errorMessage(error) })
      }
    }
  }

  async function getBack(peer: PeerId, signal: AbortSignal): Promise<void> {
    const name = peer.toString()
    if (lost.has(name) || lost.size >= MAX_LOST || isConnected(peer)) return
    lost.add(name)
    try {
      if (await isWanted(peer)) await tryAgain(peer, signal)
    } finally {
      lost.delete(name)
    }
  }

  return {
    closed({ remotePeer, status }, signal) {
      if (status === 'closed') return // in order: one of the two wanted it
      getBack(remotePeer, signal).catch((error: unknown) => {
        if (!signal.aborted) log.debug('a lost peer is given up', { peer: `${remotePeer}`, error: errorMessage(error) })
      })
    }
  }
}
