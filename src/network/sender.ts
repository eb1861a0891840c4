import type { PeerId } from '@libp2p/interface'
import { CancelledError } from '../base/index.ts'
import { parsePeerId } from './addresses.ts'
import type { Counters } from './counters.ts'
import { NoSuchInboxError } from './errors.ts'
import type { Inboxes } from './inboxes.ts'
import type { KeptTransmitter } from './kept-transmit.ts'
import { checkFrame, checkInbox, type NetworkLimits } from './limits.ts'
import { createSendBudget } from './send-budget.ts'
import type { NetworkHost } from './types.ts'

/** What sending needs. */
export interface SenderOptions {
  readonly self: PeerId
  readonly inboxes: Inboxes
  readonly counters: Counters
  readonly limits: NetworkLimits
  /** Throws `NETWORK_NOT_RUNNING` while there is no network. */
  readonly running: () => Pick<KeptTransmitter, 'transmit'>
}

/** Creates {@link NetworkHost.send}: checks, counts, bounds in number and time, and keeps frames to oneself off the network. */
export function createSender({ self, inboxes, counters, limits, running }: SenderOptions): NetworkHost['send'] {
  const budget = createSendBudget(limits)
  const peers = createPeerIds()

  function sendToSelf(inbox: string, frame: Uint8Array): void {
    if (!inboxes.has(inbox)) throw new NoSuchInboxError(`nobody listens on inbox ${inbox} of this node`)
    const copy = new Uint8Array(frame)
    counters.framesSent += 1
    setImmediate(() => {
      if (inboxes.deliver(inbox, copy, self.toString())) counters.framesReceived += 1
    })
  }

  async function sendToPeer(peer: PeerId, inbox: string, frame: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const { transmit } = running()
    const release = budget.enter(peer.toString(), frame.length)
    counters.sending += 1
    try {
      await transmit(peer, inbox, frame, signal)
      counters.framesSent += 1
    } finally {
      release()
      counters.sending -= 1
    }
  }

  return async (host, inbox, frame, { signal } = {}) => {
    checkInbox(inbox)
    checkFrame(frame)
    const peer = peers(host)
    if (signal?.aborted === true) throw new CancelledError(`sending to inbox ${inbox} of ${host} was cancelled`)
    if (peer.equals(self)) sendToSelf(inbox, frame)
    else await sendToPeer(peer, inbox, frame, signal)
  }
}

/** Peer ids that are remembered: reading one, and writing it again, costs as much as sending to it. */
const MAX_PEERS = 512

/** Creates {@link parsePeerId} with a memory. */
function createPeerIds(): (text: string) => PeerId {
  const known = new Map<string, PeerId>()
  return (text) => {
    const remembered = known.get(text)
    if (remembered !== undefined) return remembered
    const parsed = parsePeerId(text)
    const [oldest] = known.size >= MAX_PEERS ? known.keys() : []
    if (oldest !== undefined) known.delete(oldest)
    known.set(text, parsed)
    return parsed
  }
}
