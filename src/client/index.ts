/**
 * client: speaks to a running node: its REST interface, and the sealed messages of a user.
 *
 * Imports: base, identity, ucan, actor, protocol.
 * State: none beyond the key of a session and the handle of the node that a client asked for.
 */
export { type Client, type ClientOptions, createClient } from './client.ts'
export {
  BadMessageError,
  BadReplyError,
  ClientError,
  ClientTimeoutError,
  ClientUnavailableError,
  RefusedError
} from './errors.ts'
export type { ServerEvent } from './event-stream.ts'
export type { ClientPlaces, TcpPlace } from './places.ts'
export {
  type BroadcastMessage,
  type Composition,
  createSession,
  type DirectMessage,
  type MessageTerms,
  type Session,
  type SessionOptions
} from './session.ts'
