import type { Connection, Stream } from '@libp2p/interface'
import { type Clock, errorMessage, type Logger, withTimeout } from '../base/index.ts'
import type { Counters } from './counters.ts'
import { FrameRefusedError } from './errors.ts'
import type { Inboxes } from './inboxes.ts'
import { serveKeptStreams } from './kept-receive.ts'
import type { Node } from './libp2p-node.ts'
import { inboxProtocol, MAX_FRAME, type NetworkLimits } from './limits.ts'
import { createReadBudget } from './read-budget.ts'
import { readFrame } from './streams.ts'

/** What reading frames off streams needs. */
export interface ReceiveOptions {
  readonly inboxes: Inboxes
  readonly counters: Counters
  readonly limits: NetworkLimits
  readonly clock: Clock
  readonly log: Logger
}

/** Streams per connection are bounded by the muxer, and frames by the limits of this module, which count what they refuse. */
const UNLIMITED = Number.MAX_SAFE_INTEGER

/** The incoming half of the message protocol (B §5.3). */
export interface Receiver {
  /** Offers exactly the inboxes to peers that are open now; to be called whenever one opened or closed. */
  offerInboxes(): void
}

/** Creates the {@link Receiver} of a node, which need not run yet. */
export function createReceiver(node: Node, { inboxes, counters, limits, clock, log }: ReceiveOptions): Receiver {
  const budget = createReadBudget(limits, counters)
  serveKeptStreams(node, budget, { inboxes, counters, limits, clock, log })
  const served = new Set<string>()

  async function read(stream: Stream, peer: string): Promise<Uint8Array> {
    const evicted = new AbortController()
    const { reserve, release } = budget.enter(peer, () => evicted.abort())
    try {
      const options = { clock, deadline: limits.readDeadline, limit: MAX_FRAME, reserve, evicted: evicted.signal }
      return await readFrame(stream, options)
    } finally {
      release()
    }
  }

  async function receive(inbox: string, stream: Stream, peer: string): Promise<void> {
    try {
      const frame = await read(stream, peer)
      if (!inboxes.deliver(inbox, frame, peer)) throw new FrameRefusedError('nobody listens on the inbox any more')
      counters.framesReceived += 1
    } catch (error) {
      counters.framesRefused += 1
      log.debug('refused a frame', { inbox, peer, error: errorMessage(error) })
      stream.abort(error instanceof Error ? error : new Error(errorMessage(error)))
      return
    }
    await withTimeout(clock, limits.readDeadline, 'closing the stream', (signal) => stream.close({ signal })).catch(
      (error: unknown) => stream.abort(new Error(errorMessage(error))) // the frame has arrived: only the stream is given back the hard way
    )
  }

  function serve(inbox: string): void {
    served.add(inbox)
    const handler = (stream: Stream, { remotePeer }: Connection): Promise<void> => receive(inbox, stream, remotePeer.toString())
    const options = { runOnLimitedConnection: true, maxInboundStreams: UNLIMITED, maxOutboundStreams: UNLIMITED }
    node.handle(inboxProtocol(inbox), handler, options).catch((error: unknown) => {
      log.error('could not offer an inbox to peers', { inbox, error: errorMessage(error) })
    })
  }

  function withdraw(inbox: string): void {
    served.delete(inbox)
    node.unhandle(inboxProtocol(inbox)).catch((error: unknown) => {
      log.error('could not withdraw an inbox from peers', { inbox, error: errorMessage(error) })
    })
  }

  return {
    offerInboxes() {
      const open = new Set(inboxes.names())
      for (const inbox of served) if (!open.has(inbox)) withdraw(inbox)
      for (const inbox of open) if (!served.has(inbox)) serve(inbox)
    }
  }
}
