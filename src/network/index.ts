/**
 * network: libp2p behind plain types: frames to inboxes of peers, broadcasts to topics, and who is connected.
 *
 * Imports: base.
 * State: in memory: connections, known peers, open inboxes, subscriptions and counts.
 */
export { type Counters, createCounters } from './counters.ts'
export {
  BadAddressError,
  BadInboxError,
  BadKeyError,
  BadTopicError,
  BusyError,
  FrameTooLargeError,
  InboxTakenError,
  ListenFailedError,
  NoSuchInboxError,
  NotRunningError,
  PublishFailedError,
  StartFailedError,
  UnreachableError
} from './errors.ts'
export type { NetworkFeatures } from './features.ts'
export { createNetworkHost } from './host.ts'
export { createInboxes, type FrameListener, type Inboxes } from './inboxes.ts'
export { type PeerStorage, rememberedPeersCodec } from './known-peers.ts'
export {
  checkBroadcast,
  checkFrame,
  checkInbox,
  checkTopic,
  DEFAULT_LIMITS,
  inboxProtocol,
  MAX_BROADCAST,
  MAX_FRAME,
  MAX_SENT_FRAME,
  type NetworkLimits
} from './limits.ts'
export type { NetworkNaming } from './names.ts'
export type { Reachability } from './reachability/watch.ts'
export { limitsFor, type ResourceAllowance } from './resource-limits.ts'
export { createSubscribers, type Subscriber, type Subscribers } from './subscribers.ts'
export { tellAll } from './tell.ts'
export type {
  NetworkHost,
  NetworkHostOptions,
  NetworkStats,
  PeerEvent,
  PeerScore,
  RoutingEntry,
  TopicScore,
  Verdict
} from './types.ts'
