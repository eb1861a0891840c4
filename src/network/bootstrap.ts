import type { PeerId } from '@libp2p/interface'
import { type Clock, errorMessage, type Logger, type Millis, mapConcurrently, millis, seconds } from '../base/index.ts'
import type { DialTarget } from './known-peers.ts'
import type { Reach } from './reach.ts'

/** What joining the network needs. */
export interface BootstrapOptions {
  /** Configured peers. */
  readonly bootstrap: readonly DialTarget[]
  /** Peers known from before, best first. */
  readonly known: () => readonly DialTarget[]
  readonly reach: Reach
  readonly isConnected: (peer: PeerId) => boolean
  /** How many peers are connected. */
  readonly connected: () => number
  /** Resolves when a peer disconnects; rejects when the signal is aborted. */
  readonly nextDisconnect: (signal: AbortSignal) => Promise<void>
  /** The first pause. */
  readonly pause: Millis
  readonly clock: Clock
  readonly log: Logger
}

/** Short enough that a node is back within half a minute of a repaired network. */
const LONGEST_PAUSE = seconds(20)

/** With so many peers a node does without its bootstrap peers. */
const ENOUGH_PEERS = 3

/** Known peers that are dialled in one round. */
const MAX_KNOWN = 32

/**
 * Keeps this node in the network until the signal is aborted: while neither a bootstrap peer nor a few others are connected, dials
 * those known from before and all bootstrap peers at once (B §5.2), and again after growing pauses. Failures are only logged.
 */
export async function stayConnected(options: BootstrapOptions, signal: AbortSignal): Promise<void> {
  const { bootstrap, known, isConnected, connected, nextDisconnect, clock } = options
  const unconnected = (targets: readonly DialTarget[]): readonly DialTarget[] => targets.filter(({ peer }) => !isConnected(peer))

  function isJoined(): boolean {
    if (bootstrap.some(({ peer }) => isConnected(peer)) || connected() >= ENOUGH_PEERS) return true
    return bootstrap.length === 0 && unconnected(known()).length === 0 // there is nobody to dial
  }

  let { pause } = options
  while (!signal.aborted) {
    if (isJoined()) {
      pause = options.pause
      await nextDisconnect(signal).catch(() => undefined) // aborted: the loop ends
      continue
    }
    const round = [...unconnected(known()).slice(0, MAX_KNOWN), ...unconnected(bootstrap)]
    await mapConcurrently(round, 16, (target) => dial(target, options, signal))
    if (isJoined()) continue
    await clock.sleep(pause, { signal }).catch(() => undefined) // aborted: the loop ends
    pause = millis(Math.min(2 * pause, LONGEST_PAUSE))
  }
}

/** Connects to all bootstrap peers that are not connected; failures are only logged. */
export async function dialBootstrap(options: BootstrapOptions, signal: AbortSignal): Promise<void> {
  await mapConcurrently(options.bootstrap, 16, (target) => dial(target, options, signal))
}

async function dial(target: DialTarget, { bootstrap, reach, log }: BootstrapOptions, signal: AbortSignal): Promise<void> {
  const { peer, addresses } = target
  const isBootstrap = bootstrap.includes(target)
  const kind = isBootstrap ? 'a bootstrap peer' : 'a peer known from before'
  try {
    await reach.dial(peer, addresses, signal)
    log.info(`connected to ${kind}`, { peer: peer.toString() })
  } catch (error) {
    if (signal.aborted) return
    const fields = { peer: peer.toString(), addresses: addresses.map(String), error: errorMessage(error) }
    if (isBootstrap) log.warn(`could not connect to ${kind}`, fields)
    else log.debug(`could not connect to ${kind}`, fields)
  }
}
