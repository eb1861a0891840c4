import type { PeerId } from '@libp2p/interface'
import { type Clock, errorMessage, type Logger, type Millis, mapConcurrently, millis, seconds } from '../base/index.ts'
import type { PeerAddress } from './addresses.ts'
import type { Reach } from './reach.ts'

/** What joining the network needs. */
export interface BootstrapOptions {
  readonly addresses: readonly PeerAddress[]
  readonly reach: Reach
  readonly isConnected: (peer: PeerId) => boolean
  /** Resolves when a peer disconnects; rejects when the signal is aborted. */
  readonly nextDisconnect: (signal: AbortSignal) => Promise<void>
  /** The first pause. */
  readonly pause: Millis
  readonly clock: Clock
  readonly log: Logger
}

/** Short enough that a node is back within half a minute of a repaired network. */
const LONGEST_PAUSE = seconds(20)

/**
 * Keeps this node in the network until the signal is aborted: whenever no bootstrap peer is connected, dials all of them at once
 * (B §5.2), and again after growing pauses. Failures are only logged.
 */
export async function stayConnected(options: BootstrapOptions, signal: AbortSignal): Promise<void> {
  const { addresses, reach, isConnected, nextDisconnect, clock, log } = options
  if (addresses.length === 0) return

  async function dial(known: readonly PeerAddress[]): Promise<void> {
    const [first] = known
    if (first === undefined || isConnected(first.peer)) return
    try {
      await reach.dial(
        first.peer,
        known.map(({ address }) => address),
        signal
      )
      log.info('connected to a bootstrap peer', { peer: first.peer.toString() })
    } catch (error) {
      if (signal.aborted) return
      log.warn('could not connect to a bootstrap peer', { peer: first.peer.toString(), error: errorMessage(error) })
    }
  }

  let { pause } = options
  while (!signal.aborted) {
    if (addresses.some(({ peer }) => isConnected(peer))) {
      pause = options.pause
      await nextDisconnect(signal).catch(() => undefined) // aborted: the loop ends
      continue
    }
    await mapConcurrently(byPeer(addresses), 16, dial)
    if (addresses.some(({ peer }) => isConnected(peer))) continue
    await clock.sleep(pause, { signal }).catch(() => undefined) // aborted: the loop ends
    pause = nextPause(pause)
  }
}

/** All addresses of a peer are dialled together: else each would become a connection of its own. */
function byPeer(addresses: readonly PeerAddress[]): readonly (readonly PeerAddress[])[] {
  const grouped = new Map<string, PeerAddress[]>()
  for (const known of addresses) grouped.set(`${known.peer}`, [...(grouped.get(`${known.peer}`) ?? []), known])
  return [...grouped.values()]
}

function nextPause(pause: Millis): Millis {
  return millis(Math.min(2 * pause, LONGEST_PAUSE))
}
