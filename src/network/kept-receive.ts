import type { Connection, Stream } from '@libp2p/interface'
import { type Clock, errorMessage, type Logger, millis, minutes, withTimeout } from '../base/index.ts'
import type { Counters } from './counters.ts'
import type { Inboxes } from './inboxes.ts'
import { KEPT_PROTOCOL } from './kept-frames.ts'
import { serveKeptStream } from './kept-incoming.ts'
import type { Node } from './libp2p-node.ts'
import type { NetworkLimits } from './limits.ts'
import type { ReadBudget } from './read-budget.ts'

/** What serving kept streams needs. */
export interface KeptReceiverOptions {
  readonly inboxes: Inboxes
  readonly counters: Counters
  readonly limits: NetworkLimits
  readonly clock: Clock
  readonly log: Logger
}

/** Incoming kept streams that one connection may have open: one is used, and one may take its place after a break. */
const STREAMS_PER_CONNECTION = 4

/** Peers whose bad streams are remembered. */
const MAX_PEERS = 1024

const MINUTE = minutes(1)

/** Offers kept streams to peers, under the budget that all incoming frames share. */
export function serveKeptStreams(node: Node, budget: ReadBudget, options: KeptReceiverOptions): void {
  const { inboxes, counters, limits, clock, log } = options
  const bad = new Map<string, { readonly since: number; readonly streams: number }>()

  function badStreams(peer: string): number {
    const entry = bad.get(peer)
    return entry === undefined || entry.since <= clock.now() - MINUTE ? 0 : entry.streams
  }

  function noteBad(peer: string): void {
    const streams = badStreams(peer) + 1
    const since = streams === 1 ? clock.now() : (bad.get(peer)?.since ?? clock.now())
    bad.delete(peer)
    bad.set(peer, { since, streams })
    const [oldest] = bad.size > MAX_PEERS ? bad.keys() : []
    if (oldest !== undefined) bad.delete(oldest)
  }

  function deliverFrom(peer: string): (inbox: string, payload: Uint8Array) => boolean {
    return (inbox, payload) => {
      const isDelivered = inboxes.deliver(inbox, payload, peer)
      if (isDelivered) counters.framesReceived += 1
      else counters.framesRefused += 1
      return isDelivered
    }
  }

  async function serve(stream: Stream, { remotePeer }: Connection): Promise<void> {
    const peer = remotePeer.toString()
    try {
      if (badStreams(peer) >= limits.badStreamsPerMinute) {
        stream.abort(new Error('too many bad streams'))
        return
      }
      await serveKeptStream(stream, {
        peer,
        budget,
        deliver: deliverFrom(peer),
        clock,
        deadline: limits.readDeadline,
        idle: millis(2 * limits.keptIdle),
        window: { messages: limits.keptWindow, bytes: limits.keptWindowBytes }
      })
      await withTimeout(clock, limits.readDeadline, 'closing the stream', (signal) => stream.close({ signal }))
    } catch (error) {
      // A stream that the sender or the network broke off harms nobody; what it wrote before that counts.
      if (stream.status === 'open' || stream.status === 'closing') {
        counters.framesRefused += 1
        noteBad(peer)
        log.debug('refused a kept stream', { peer, error: errorMessage(error) })
      }
      stream.abort(error instanceof Error ? error : new Error(errorMessage(error)))
    }
  }

  const handling = { runOnLimitedConnection: true, maxInboundStreams: STREAMS_PER_CONNECTION }
  node.handle(KEPT_PROTOCOL, serve, handling).catch((error: unknown) => {
    log.error('could not offer kept streams to peers', { error: errorMessage(error) })
  })
}
