import { type BudgetSize, type Bytes, type Millis, mebibytes, seconds } from '../base/index.ts'

/** How much an actor system does for others, at once and with time. Every limit is per node unless it says otherwise. */
export interface ActorLimits {
  /** Frames of one peer that proved no right yet; looked at before their JSON is read. What is authorised is given back. */
  readonly peerFrames: BudgetSize
  /** Well-signed messages of one key that proved no right; looked at after the signature, before token chains are. */
  readonly senderMessages: BudgetSize
  /** Messages in the name of one DID that may be here, the owner's excepted; looked at before their handlers run. */
  readonly callerMessages: BudgetSize
  /** Broadcasts that one host published, on all topics together; looked at before their JSON is read. */
  readonly authorBroadcasts: BudgetSize
  /** Broadcasts that one neighbour passed on, on all topics together; looked at before their JSON is read. */
  readonly forwarderBroadcasts: BudgetSize
  /** Errors that say that too much was asked, to one key: one in a second, however many messages were too many. */
  readonly overloadErrors: BudgetSize
  /** Errors that say what a caller may not do, or not so soon after a crash, to one key. */
  readonly denialErrors: BudgetSize
  /** Frames of one peer that wait to be verified. */
  readonly waitingPerPeer: number
  /** Bytes of the frames of one peer that wait to be verified. */
  readonly waitingBytesPerPeer: Bytes
  /** Bytes of all frames that wait to be verified; those of this node's own clients have as much again. */
  readonly waitingBytes: Bytes
  /** Frames of this node's own clients that wait to be verified. */
  readonly waitingOfOwn: number
  /** Handlers of others that run at once, and messages that wait for one, per actor (B §3.2 has queues of 100). */
  readonly guests: LaneLimits
  /** The same for broadcasts, whose answers are spread in time: those that wait take no place of other messages. */
  readonly broadcasts: LaneLimits
  /** The same for the owner of the node, in places of its own. */
  readonly owner: LaneLimits
  /**
   * Accepted messages that are remembered until they expire, so that none is accepted twice: some 25 MB of memory when there are that
   * many. An eighth is the most of one caller, and an eighth is kept for the owner.
   */
  readonly remembered: number
  /** How long a handler may go on after its message has expired and its signal is aborted, before its place is given away. */
  readonly overtime: Millis
}

/** Bounds of one lane of an actor, for handlers and for answers. */
export interface LaneLimits {
  /** Handlers that run at once. */
  readonly concurrency: number
  /** Messages that wait. */
  readonly waiting: number
  /** Handlers of one caller that run at once: one whose handlers hang leaves places to others. */
  readonly runningPerCaller: number
  /** Messages of one caller, running and waiting. */
  readonly perCaller: number
  /** Answers on their way; further ones are dropped, and their callers time out. */
  readonly answers: number
  /** Answers on their way to one host: one that does not take its answers leaves places to others. */
  readonly answersPerHost: number
}

/**
 * The limits of a node in production.
 *
 * Generous for honest nodes: a node greets a peer once per connection, a deployment of a hundred allocations asks each provider some
 * dozens of times a second, a command is one message. B §3.6 has upper bounds of 4096 public messages and 1024 broadcasts at once.
 */
export const DEFAULT_ACTOR_LIMITS: ActorLimits = {
  peerFrames: { capacity: 1024, perSecond: 256 },
  senderMessages: { capacity: 64, perSecond: 8 },
  callerMessages: { capacity: 4096, perSecond: 1024 },
  authorBroadcasts: { capacity: 64, perSecond: 4 },
  forwarderBroadcasts: { capacity: 1024, perSecond: 128 },
  overloadErrors: { capacity: 1, perSecond: 1 },
  denialErrors: { capacity: 8, perSecond: 1 },
  waitingPerPeer: 256,
  waitingBytesPerPeer: mebibytes(4),
  waitingBytes: mebibytes(32),
  waitingOfOwn: 1024,
  guests: { concurrency: 64, waiting: 256, runningPerCaller: 32, perCaller: 80, answers: 512, answersPerHost: 128 },
  broadcasts: { concurrency: 128, waiting: 256, runningPerCaller: 16, perCaller: 32, answers: 256, answersPerHost: 64 },
  owner: { concurrency: 32, waiting: 128, runningPerCaller: 32, perCaller: 160, answers: 128, answersPerHost: 64 },
  remembered: 262_144,
  overtime: seconds(1)
}
