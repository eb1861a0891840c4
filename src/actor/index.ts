/**
 * actor: sealed envelopes in, checked behaviours run, sealed replies out.
 *
 * Imports: base, identity, ucan.
 * State: nonces seen, pending and held replies, frames that wait, token buckets: in memory, bounded; accepted messages, through a port.
 */
export { type Behavior, type Handler, SILENCE, type VerifiedEnvelope } from './behavior.ts'
export { CHUNK_SUFFIX, chunkedOf, collectChunks } from './chunks.ts'
export {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  isBroadcast,
  MAX_ENVELOPE_BYTES,
  parseEnvelope,
  signedBytes
} from './envelope.ts'
export {
  BadEnvelopeError,
  BadPayloadError,
  InboxTakenError,
  NoReplyError,
  NotAuthorizedError,
  OverloadedError,
  RemoteError,
  UnknownBehaviorError
} from './errors.ts'
export {
  didOfHandle,
  EMPTY_HANDLE,
  type Handle,
  handleOf,
  handleToJson,
  isEmptyHandle,
  parseDestination,
  parseHandle,
  ROOT_INBOX,
  rootHandleOf
} from './handle.ts'
export { errorOf } from './invoker.ts'
export type { KeptMessage, ReplayHistory, ReplayJournal } from './journal.ts'
export { type ActorLimits, DEFAULT_ACTOR_LIMITS, type LaneLimits } from './limits.ts'
export { DEFAULT_TIMEOUT } from './outbox.ts'
export { isStillAllowed } from './recheck.ts'
export type { Relay } from './relay.ts'
export { type ActorSystemOptions, createActorSystem } from './system.ts'
export type { BroadcastSource, MessageTransport, TopicValidator, Verdict } from './transport.ts'
export type { Actor, ActorSystem, Counters, SendOptions } from './types.ts'
export { hasValidSignature, MAX_LIFETIME, parsePayload, type RejectionReason, verifyFrame } from './verify.ts'
