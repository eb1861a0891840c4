import type { PeerId } from '@libp2p/interface'
import { CancelledError, type Clock, withTimeout } from '../base/index.ts'
import { parsePeerId } from './addresses.ts'
import type { Counters } from './counters.ts'
import { BusyError, NoSuchInboxError } from './errors.ts'
import type { Inboxes } from './inboxes.ts'
import { checkFrame, checkInbox, type NetworkLimits } from './limits.ts'
import type { Transmitter } from './transmit.ts'
import type { NetworkHost } from './types.ts'

/** What sending needs. */
export interface SenderOptions {
  readonly self: PeerId
  readonly inboxes: Inboxes
  readonly counters: Counters
  readonly limits: NetworkLimits
  readonly clock: Clock
  /** Throws `NETWORK_NOT_RUNNING` while there is no network. */
  readonly running: () => Transmitter
}

/** Creates {@link NetworkHost.send}: checks, counts, bounds in number and time, and keeps frames to oneself off the network. */
export function createSender({ self, inboxes, counters, limits, clock, running }: SenderOptions): NetworkHost['send'] {
  const underWay = new Map<string, number>()

  /** Takes a place among the sends to a peer; returns its end. */
  function enter(peer: string): () => void {
    if (counters.sending >= limits.sends) throw new BusyError(`${counters.sending} sends are under way, more are not taken`)
    const ofPeer = underWay.get(peer) ?? 0
    if (ofPeer >= limits.sendsWaitingPerPeer) throw new BusyError(`${ofPeer} sends to ${peer} are under way, more are not taken`)
    counters.sending += 1
    underWay.set(peer, ofPeer + 1)
    return () => {
      counters.sending -= 1
      const left = (underWay.get(peer) ?? 1) - 1
      if (left === 0) underWay.delete(peer)
      else underWay.set(peer, left)
    }
  }

  function sendToSelf(inbox: string, frame: Uint8Array): void {
    if (!inboxes.has(inbox)) throw new NoSuchInboxError(`nobody listens on inbox ${inbox} of this node`)
    const copy = frame.slice()
    counters.framesSent += 1
    setImmediate(() => {
      if (inboxes.deliver(inbox, copy, self.toString())) counters.framesReceived += 1
    })
  }

  async function sendToPeer(peer: PeerId, inbox: string, frame: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const { transmit } = running()
    const leave = enter(peer.toString())
    try {
      const work = (inner: AbortSignal): Promise<void> => transmit(peer, inbox, frame, inner)
      await withTimeout(
        clock,
        limits.sendTimeout,
        `sending to inbox ${inbox} of ${peer}`,
        work,
        signal === undefined ? {} : { signal }
      )
      counters.framesSent += 1
    } finally {
      leave()
    }
  }

  return async (host, inbox, frame, { signal } = {}) => {
    checkInbox(inbox)
    checkFrame(frame)
    const peer = parsePeerId(host)
    if (signal?.aborted === true) throw new CancelledError(`sending to inbox ${inbox} of ${host} was cancelled`)
    if (peer.equals(self)) sendToSelf(inbox, frame)
    else await sendToPeer(peer, inbox, frame, signal)
  }
}
