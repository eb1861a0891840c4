/**
 * actor: sealed envelopes in, checked behaviours run, sealed replies out.
 *
 * Imports: base, identity, ucan.
 * State: nonces seen and pending replies, in memory.
 */
export { errorOf } from './actor.ts'
export { type Behavior, type Handler, SILENCE, type VerifiedEnvelope } from './behavior.ts'
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
export { DEFAULT_TIMEOUT } from './outbox.ts'
export { isStillAllowed } from './recheck.ts'
export type { Relay } from './relay.ts'
export { type ActorSystemOptions, createActorSystem } from './system.ts'
export type { MessageTransport, Verdict } from './transport.ts'
export type { Actor, ActorSystem, Counters, SendOptions } from './types.ts'
export { hasValidSignature, MAX_LIFETIME, parsePayload, type RejectionReason, verifyFrame } from './verify.ts'
