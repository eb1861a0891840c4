import type { AbortOptions } from '../base/index.ts'

/** What a topic validator says of a message: `reject` costs the sender reputation, `ignore` does not (B §3.4). */
export type Verdict = 'accept' | 'reject' | 'ignore'

/** Who brought a broadcast, by peer id; both are proven, the author by a signature of the gossip layer. */
export interface BroadcastSource {
  /** The host that published it. */
  readonly author: string
  /** The neighbour that passed it on. */
  readonly forwarder: string
}

/** Judges a frame of a topic before it is passed on; the source is missing where a transport cannot tell it. */
export type TopicValidator = (frame: Uint8Array, source?: BroadcastSource) => Verdict | Promise<Verdict>

/**
 * PORT: how frames travel between actors; declared here, satisfied by `network` and by `testing/memory-network`.
 *
 * A frame is an envelope's JSON, at most 1 MiB (B §5.3). A host is a libp2p peer id text.
 */
export interface MessageTransport {
  /** Peer id of this node. */
  readonly peerId: string
  /**
   * Delivers one frame to an inbox of a host: resolves, dials and opens as needed. Resolves when the frame was written and the
   * stream half-closed; that is no proof of processing. Sending to the own peer id calls the listener directly.
   *
   * Errors: `NETWORK_FRAME_TOO_LARGE` (invalid), `NETWORK_UNREACHABLE` (unavailable), `NETWORK_NO_SUCH_INBOX` (not-found, where
   * it can be known), `BASE_CANCELLED`.
   */
  send(host: string, inbox: string, frame: Uint8Array, options?: AbortOptions): Promise<void>
  /**
   * Whether a host is known to speak the protocol of kept streams (docs/protocol.md): it takes the answer to what it asked without
   * tokens, so it needs to send none for the answer either. Default: no host is.
   */
  readonly speaksKept?: (host: string) => boolean
  /** Receives the frames for an inbox; `from` is the authenticated peer id. Throws `NETWORK_INBOX_TAKEN` (conflict). Returns the end. */
  listen(inbox: string, listener: (frame: Uint8Array, from: string) => void): () => void
  /** Publishes to a topic; resolves also when nobody listens. */
  publish(topic: string, frame: Uint8Array): Promise<void>
  /** Subscribes once per call; the validator runs before a frame is passed on to others or to the listener. Returns the end. */
  subscribe(topic: string, listener: (frame: Uint8Array) => void, validate: TopicValidator): Promise<() => Promise<void>>
}
