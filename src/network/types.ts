import type { AbortOptions, Clock, Logger, Millis, Random, Service } from '../base/index.ts'
import type { NetworkFeatures } from './features.ts'
import type { FrameListener } from './inboxes.ts'
import type { PeerStorage } from './known-peers.ts'
import type { NetworkLimits } from './limits.ts'
import type { NetworkNaming } from './names.ts'
import type { Reachability } from './reachability/watch.ts'

/** Whether a connection goes to the peer itself, or through another that bounds its time and bytes. */
export type PeerConnection = 'direct' | 'relayed'

/** What a topic validator says of a message: `reject` costs the sender reputation, `ignore` does not (B §3.4). */
export type Verdict = 'accept' | 'reject' | 'ignore'

/** Who brought a broadcast, by peer id; both are proven, the author by its signature. */
export interface BroadcastSource {
  /** The host that published it. */
  readonly author: string
  /** The neighbour that passed it on. */
  readonly forwarder: string
}

/** Judges a frame of a topic before it is passed on. */
export type TopicValidator = (frame: Uint8Array, source?: BroadcastSource) => Verdict | Promise<Verdict>

/** Something that happened to a peer. */
export interface PeerEvent {
  /** `identified`: it told (again) which protocols it serves. `disconnected`: its last connection closed. */
  readonly type: 'identified' | 'disconnected'
  readonly peer: string
  /** The protocol ids it listed, `actor/root/messages/0.0.1` among them when it is a DMS; empty when disconnected. */
  readonly protocols: readonly string[]
}

/** Counts since the start of the host; they only grow, but for the last three, which are momentary. */
export interface NetworkStats {
  /** Frames written and half-closed, own delivery included. */
  readonly framesSent: number
  /** Frames handed to a listener, own delivery included. */
  readonly framesReceived: number
  /** Incoming streams that were reset: too long, truncated, too slow, trailing bytes, or too many at once. */
  readonly framesRefused: number
  /** Frames written a second time, because a kept stream broke before their receipt came. */
  readonly framesRetried: number
  /** Broadcasts handed to the router. */
  readonly broadcastsSent: number
  /** Broadcasts of others that the validators accepted. */
  readonly broadcastsReceived: number
  /** Broadcasts of others that a validator rejected or ignored. */
  readonly broadcastsRefused: number
  /** Kept streams to peers that are open now. */
  readonly keptStreams: number
  /** Sends under way now. */
  readonly sending: number
  /** Incoming frames being read now. */
  readonly reading: number
}

/** How a peer stands with the gossip router (B §5.4): the score and what it is made of. */
export interface PeerScore {
  readonly score: number
  /** What {@link NetworkHost.scorePeersBy} says of it. */
  readonly application: number
  /** Square of the number of peers on its addresses beyond what is normal; weighs nothing. */
  readonly colocation: number
  /** Breaches of the router's protocol, fading; weighs nothing. */
  readonly penalty: number
  readonly topics: Readonly<Record<string, TopicScore>>
}

/** What a peer did on one topic. */
export interface TopicScore {
  /** How long it has been in the mesh; 0 when it is not. */
  readonly timeInMesh: Millis
  readonly firstDeliveries: number
  readonly meshDeliveries: number
  /** Messages that were rejected, fading. */
  readonly invalidDeliveries: number
}

/** A peer in the routing table of the DHT. */
export interface RoutingEntry {
  readonly peer: string
  /** When it answered a ping of the table last. */
  readonly answeredAt?: Millis
}

/** A node in the peer-to-peer network; satisfies the port `MessageTransport` of `actor`. Hosts are named by their peer id text. */
export interface NetworkHost extends Service {
  /** Peer id of this node; known before the start. */
  readonly peerId: string
  /**
   * Delivers one frame to an inbox of a host: finds, dials and opens as needed. Resolves when the frame was written and the stream
   * half-closed; that is no proof of processing. A frame to the own peer id reaches the listener directly, in a later turn.
   *
   * @throws FrameTooLargeError over {@link MAX_SENT_FRAME} bytes.
   * @throws BadInboxError, BadAddressError when inbox or host cannot be names.
   * @throws NoSuchInboxError when the host serves no such inbox.
   * @throws UnreachableError when the host cannot be reached or the stream broke; says what was tried.
   * @throws BusyError when too many sends are under way. NotRunningError before the start.
   * @throws TimeoutError after `sendTimeout`. CancelledError when the signal is aborted.
   */
  send(host: string, inbox: string, frame: Uint8Array, options?: AbortOptions): Promise<void>
  /** Whether a connected peer is known to speak the protocol of kept streams (docs/protocol.md). */
  speaksKept(host: string): boolean
  /** Receives the frames for an inbox, also before the start. Throws `NETWORK_INBOX_TAKEN`, `NETWORK_BAD_INBOX`. Returns the end. */
  listen(inbox: string, listener: FrameListener): () => void
  /**
   * Publishes to a topic, signed with the key of this node; resolves also when nobody listens. The own subscribers get nothing.
   *
   * @throws FrameTooLargeError over {@link MAX_BROADCAST} bytes. BadTopicError. NotRunningError. PublishFailedError.
   */
  publish(topic: string, frame: Uint8Array): Promise<void>
  /**
   * Subscribes once per call, also before the start. All validators of a topic run before a frame is passed on to other nodes or
   * to any listener, and the strictest verdict counts. Returns the end. Throws `NETWORK_BAD_TOPIC`.
   */
  subscribe(topic: string, listener: (frame: Uint8Array) => void, validate: TopicValidator): Promise<() => Promise<void>>
  /** Peers with an open connection. */
  peers(): readonly string[]
  /** All peers heard of, connected or not, without this node. */
  knownPeers(): Promise<readonly string[]>
  isConnected(peer: string): boolean
  /** How a peer is connected: through a relay only while there is no direct connection to it. */
  connectionTo(peer: string): PeerConnection | undefined
  /**
   * Own addresses that others can dial, best first, each once and with `/p2p/<id>` at the end: configured and public ones, then those
   * through relays, those of the local network and of this machine. Empty before the start.
   */
  addresses(): readonly string[]
  /** Whether others can open connections to this node, as far as they told it. */
  reachability(): Reachability
  /**
   * Connects to `…/p2p/<peer id>` and returns the peer id; an existing connection is kept.
   *
   * @throws BadAddressError when the text is no such address or names this node; says what is wrong.
   * @throws UnreachableError when it cannot be dialled.
   */
  connect(address: string, options?: AbortOptions): Promise<string>
  /** Round trip to a peer, dialled when needed. Throws `NETWORK_UNREACHABLE`, also for the own peer id, and `NETWORK_BAD_ADDRESS`. */
  ping(peer: string, options?: AbortOptions): Promise<Millis>
  /** Hears what happens to peers, also before the start. Returns the end. */
  onPeer(listener: (event: PeerEvent) => void): () => void
  /** Sets the application part of a peer's gossip score, 0 until then; also before the start. Asked often: must be cheap. */
  scorePeersBy(scoreOf: (peer: string) => number): void
  /** The gossip score of each connected peer that carries broadcasts, in the order of the peer ids (B §5.4). */
  scores(): ReadonlyMap<string, PeerScore>
  /** The peers through which the DHT is searched, in the order of the peer ids; empty before the start. */
  routingTable(): readonly RoutingEntry[]
  stats(): NetworkStats
}

/** What {@link createNetworkHost} needs. */
export interface NetworkHostOptions {
  /** libp2p protobuf private key of the node, Ed25519 or secp256k1. */
  readonly privateKey: Uint8Array
  /**
   * Multiaddresses to listen on: TCP, WebSocket and QUIC ones, of which the last are skipped with a log line where QUIC's native part
   * is missing. None: this node only dials.
   */
  readonly listen: readonly string[]
  /** Multiaddresses to tell others besides those that this node finds out itself; with or without `/p2p/<id>` of this node. */
  readonly announce?: readonly string[]
  /** Multiaddresses with `/p2p/<id>` of peers to join the network through. */
  readonly bootstrap: readonly string[]
  /** Where the peers that it knows are kept over restarts; nowhere by default. */
  readonly knownPeers?: PeerStorage
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** The network it belongs to; the public one by default. */
  readonly naming?: NetworkNaming
  /** What it offers besides messages; nothing by default. */
  readonly features?: Partial<NetworkFeatures>
  /** Overrides of {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<NetworkLimits>
}
