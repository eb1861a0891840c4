import { type Bytes, bytes, type Millis, mebibytes, minutes, seconds } from '../base/index.ts'
import { BadInboxError, BadTopicError, FrameTooLargeError } from './errors.ts'

/** The largest body of an incoming frame; a larger announced length resets the stream (B §5.3). */
export const MAX_FRAME = bytes(1_048_576)

/** Bytes of the length prefix of a frame. */
export const PREFIX_LENGTH = 8

/** The largest frame a sender may hand over: prefix and body together stay within {@link MAX_FRAME} (B §5.3). */
export const MAX_SENT_FRAME = bytes(MAX_FRAME - PREFIX_LENGTH)

/**
 * The largest broadcast: a Go router reads gossip packets up to 1 MiB including topic, sender, signature and sequence number,
 * for which 1 KiB is kept free.
 */
export const MAX_BROADCAST = bytes(MAX_FRAME - 1024)

/** The longest topic in UTF-8 bytes, so that it fits into what {@link MAX_BROADCAST} keeps free. */
export const MAX_TOPIC = bytes(256)

/** Streams that one connection may have open at us: eight times the frames that are read from one peer. */
export const MUXED_STREAMS = 512

/** What a node gives away as a relay (B §5.1: five minutes and 2 MiB for each connection). */
export const RELAY_LIMITS: RelayLimits = { reservations: 128, duration: minutes(5), data: mebibytes(2) }

/** Connections that one node may have opened through this one at the same time, and connections to one node. */
export const CIRCUITS_FROM_PEER = 16
export const CIRCUITS_TO_PEER = 64

/** How much a node gives away as a relay. */
export interface RelayLimits {
  /** Nodes that may be reached through it at the same time. */
  readonly reservations: number
  /** How long one connection may last. */
  readonly duration: Millis
  /** How much may go over one connection, both ways together. */
  readonly data: Bytes
}

/** How much of everything a host allows its peers and itself. */
export interface NetworkLimits {
  /** How long an incoming frame may take from the opening of its stream to its end (B §5.3: 30 s). */
  readonly readDeadline: Millis
  /** Incoming frames being read at the same time from one peer; a further stream is reset. */
  readonly readsPerPeer: number
  /** Incoming frames being read at the same time from all peers; a further stream is reset. */
  readonly reads: number
  /** Memory for the unfinished incoming frames of one peer; the frame that would need more is reset. */
  readonly readBytesPerPeer: Bytes
  /** Memory for the unfinished incoming frames of all peers; the frame that would need more is reset. */
  readonly readBytes: Bytes
  /** Sends under way at the same time, waiting ones included; a further one fails with `NETWORK_BUSY` (B §5.3: 4096). */
  readonly sends: number
  /** Streams open at the same time to one peer; below `readsPerPeer`, so that a node never resets small frames of its like. */
  readonly sendsPerPeer: number
  /** Sends under way to one peer, waiting ones included; a further one fails with `NETWORK_BUSY`. */
  readonly queuedPerPeer: number
  /** Bytes of the sends under way to one peer; a further one fails with `NETWORK_BUSY`. */
  readonly queuedBytesPerPeer: Bytes
  /** Bytes of the sends under way to all peers; a further one fails with `NETWORK_BUSY`. */
  readonly queuedBytes: Bytes
  /** What a kept stream carries without a receipt: messages, and bytes of them. */
  readonly keptWindow: number
  readonly keptWindowBytes: Bytes
  /** How long a kept stream may be without a receipt that is due before it counts as broken. */
  readonly receiptTimeout: Millis
  /** How long a kept stream stays open without a message; receivers wait twice as long. */
  readonly keptIdle: Millis
  /** Broken or hostile kept streams that one peer may make in a minute; further ones are reset unread. */
  readonly badStreamsPerMinute: number
  /** How long a send may take in all when its caller sets no shorter limit. */
  readonly sendTimeout: Millis
  /** How long dialling the known addresses of a peer may take. */
  readonly dialTimeout: Millis
  /** How long the distributed hash table is asked for the addresses of a peer (B §5.2: 3 s). */
  readonly lookupTimeout: Millis
  /** How long a ping may take when its caller sets no shorter limit; long enough for a relayed connection. */
  readonly pingTimeout: Millis
  /** How long a topic validator may think before its message counts as ignored. */
  readonly validationTimeout: Millis
  /** Pause before bootstrap peers that could not be reached are dialled again; doubled each time, up to two minutes. */
  readonly rejoinPause: Millis
  /** Connections in all (B §5.1: 400); further incoming ones are refused. */
  readonly connections: number
  /** Connections from one IP address, so that a site behind NAT gets enough and nobody gets all. */
  readonly connectionsPerIp: number
  /** Streams that all peers together have open at this node (B §5.1: 8192); a further one is reset. */
  readonly streams: number
}

/** The limits of a node in production. */
export const DEFAULT_LIMITS: NetworkLimits = {
  readDeadline: seconds(30),
  readsPerPeer: 64,
  reads: 1024,
  readBytesPerPeer: mebibytes(8),
  readBytes: mebibytes(64),
  sends: 4096,
  sendsPerPeer: 32,
  queuedPerPeer: 1024,
  queuedBytesPerPeer: mebibytes(16),
  queuedBytes: mebibytes(64),
  keptWindow: 512,
  keptWindowBytes: mebibytes(1),
  receiptTimeout: seconds(10),
  keptIdle: minutes(2),
  badStreamsPerMinute: 20,
  sendTimeout: seconds(30),
  dialTimeout: seconds(10),
  lookupTimeout: seconds(3),
  pingTimeout: seconds(10),
  validationTimeout: seconds(10),
  rejoinPause: seconds(1),
  connections: 400,
  connectionsPerIp: 128,
  streams: 8192
}

/** What can name an inbox: ASCII, so that its length in bytes is its length. */
export const INBOX = /^[A-Za-z0-9][A-Za-z0-9:._-]{0,300}$/

/** Refuses what cannot name an inbox; DIDs are inboxes too (B §1.3). Throws `NETWORK_BAD_INBOX`. */
export function checkInbox(inbox: string): void {
  if (INBOX.test(inbox)) return
  const shown = JSON.stringify(inbox.slice(0, 320))
  throw new BadInboxError(`inbox ${shown} must be 1 to 301 letters, digits or ":._-" and begin with a letter or digit`)
}

/** Refuses a frame that the receiver would reset. Throws `NETWORK_FRAME_TOO_LARGE`. */
export function checkFrame(frame: Uint8Array): void {
  refuseOver(MAX_SENT_FRAME, frame, 'frame')
}

/** Refuses a broadcast that other routers would drop. Throws `NETWORK_FRAME_TOO_LARGE`. */
export function checkBroadcast(frame: Uint8Array): void {
  refuseOver(MAX_BROADCAST, frame, 'broadcast')
}

/** Refuses what cannot name a topic. Throws `NETWORK_BAD_TOPIC`. */
export function checkTopic(topic: string): void {
  const length = Buffer.byteLength(topic)
  if (length >= 1 && length <= MAX_TOPIC) return
  throw new BadTopicError(`a topic must have 1 to ${MAX_TOPIC} bytes, this one has ${length}`, { details: { length } })
}

function refuseOver(limit: number, frame: Uint8Array, what: string): void {
  const { length } = frame
  if (length <= limit) return
  throw new FrameTooLargeError(`the ${what} has ${length} bytes, at most ${limit} can be sent`, { details: { length, limit } })
}

/** The protocol id of an inbox; it has no leading slash (B §5.3). */
export function inboxProtocol(inbox: string): string {
  return `actor/${inbox}/messages/0.0.1`
}
