import { type Clock, createBudgets } from '../base/index.ts'
import type { ActorLimits } from './limits.ts'
import { createPatience } from './patience.ts'
import type { BroadcastSource } from './transport.ts'

/** Why something was not looked at; each is counted as `messages.refused.<reason>`. */
export type GateReason = 'impatient' | 'peer-too-fast' | 'author-too-fast' | 'forwarder-too-fast'

/**
 * Token buckets before everything that costs: per peer before JSON is read, per key before token chains are, per DID before handlers
 * run (B §11.1, 11). Shared by all actors of a node; the number of buckets is bounded.
 */
export interface Gate {
  /** Why a frame of this peer is not looked at. */
  frame(peer: string): GateReason | undefined
  /** Whether too many frames of this peer were refused, perhaps while this one waited. */
  isTired(peer: string): boolean
  /** Why a broadcast is not looked at. */
  broadcast(source: BroadcastSource): GateReason | undefined
  /** Whether one more message of a key, which signed it, may have its tokens checked. */
  sender(senderId: string): boolean
  /** Whether one more message in the name of a DID may be handled. */
  caller(did: string): boolean
  /** A message was authorised, so it is no burden of its peer or its key. */
  authorized(peer: string | undefined, senderId: string): void
  /** A frame of this peer was refused. */
  refused(peer: string): void
  /** Whether a key may be told that too much was asked. */
  mayReportOverload(senderId: string): boolean
  /** Whether a key may be told that it may not do something, or not now. */
  mayReportDenial(senderId: string): boolean
}

/** Keys and DIDs whose buckets are remembered: there are more of them than of peers, of which a host holds some hundreds. */
const MAX_KEYS = 4096

/** Creates a gate that knows nobody yet. */
export function createGate(clock: Clock, limits: ActorLimits): Gate {
  const patience = createPatience(clock)
  const peers = createBudgets(clock, limits.peerFrames)
  const senders = createBudgets(clock, limits.senderMessages, MAX_KEYS)
  const callers = createBudgets(clock, limits.callerMessages, MAX_KEYS)
  const authors = createBudgets(clock, limits.authorBroadcasts, MAX_KEYS)
  const forwarders = createBudgets(clock, limits.forwarderBroadcasts)
  const overloads = createBudgets(clock, limits.overloadErrors)
  const denials = createBudgets(clock, limits.denialErrors)

  return {
    frame(peer) {
      if (!patience.allows(peer)) return 'impatient'
      return peers(peer).take() ? undefined : 'peer-too-fast'
    },
    isTired: (peer) => !patience.allows(peer),
    broadcast({ author, forwarder }) {
      if (!forwarders(forwarder).take()) return 'forwarder-too-fast'
      return authors(author).take() ? undefined : 'author-too-fast'
    },
    sender: (senderId) => senders(senderId).take(),
    caller: (did) => callers(did).take(),
    authorized(peer, senderId) {
      if (peer !== undefined) peers(peer).refund()
      senders(senderId).refund()
    },
    refused: (peer) => patience.strain(peer),
    mayReportOverload: (senderId) => overloads(senderId).take(),
    mayReportDenial: (senderId) => denials(senderId).take()
  }
}
