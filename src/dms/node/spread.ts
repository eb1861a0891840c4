import { type Counters, type Handler, SILENCE, type VerifiedEnvelope } from '../../actor/index.ts'
import {
  type BudgetSize,
  type Clock,
  createBudgets,
  type Millis,
  millis,
  minutes,
  type Random,
  randomInt
} from '../../base/index.ts'

/**
 * Spreads the answers to broadcasts, so that one message does not make a whole network answer at once (B §11.1, 12).
 *
 * Every node waits a random part of a window that grows with the number of nodes it knows; where they are more than somebody can
 * listen to, only some answer. Who asks too often gets silence.
 */
export interface Spread {
  /** The handler of a behaviour, with its answers to broadcasts spread; messages to this node alone are answered at once. */
  over<Request, Reply>(handler: Handler<Request, Reply>): Handler<Request, Reply>
}

/** How far answers are spread. */
export interface SpreadRule {
  /** The window is so long for each known node. */
  readonly perNode: Millis
  /** The longest window; half of what is left of a message's life is never exceeded. */
  readonly longest: Millis
  /** How many nodes may answer; of more, each answers with the probability that so many do. */
  readonly answers: number
  /** Broadcasts of one DID that are answered; default as many as come. */
  readonly perSender?: BudgetSize
}

/** Greetings and status: within 100 ms in a network of ten, 5 s in one of five hundred, of which all answer; 100 a second at most. */
export const CHATTER: SpreadRule = {
  perNode: millis(10),
  longest: millis(5000),
  answers: 500,
  perSender: { capacity: 20, perSecond: 0.5 }
}

/**
 * Bids: within 20 ms in a network of ten, 1 s in one of five hundred, of which bids are collected for five. Few of those that are asked
 * fit, so more may answer. What one DID may ask is bounded where bids are made, for it may also ask one node alone.
 */
export const BIDDING: SpreadRule = {
  perNode: millis(2),
  longest: millis(1000),
  answers: 2000
}

/** The part of a peer directory that tells how large the network is. */
export interface KnownPeers {
  peers(): readonly string[]
  knownPeers(): Promise<readonly string[]>
}

/** What {@link createSpread} needs. */
export interface SpreadOptions {
  readonly rule: SpreadRule
  readonly peers: KnownPeers
  readonly clock: Clock
  readonly random: Random
  /** Counts `broadcasts.not-answered.<reason>`. */
  readonly counters: Counters
}

/** How long an estimate of the size of the network is used. */
const ESTIMATE_TIME = minutes(1)

/** Creates the {@link Spread} of some behaviours. */
export function createSpread({ rule, peers, clock, random, counters }: SpreadOptions): Spread {
  const budgetOf = rule.perSender === undefined ? undefined : createBudgets(clock, rule.perSender)
  let estimate = { nodes: 0, until: 0 }

  async function networkSize(): Promise<number> {
    if (clock.now() >= estimate.until) {
      const known = await peers.knownPeers()
      estimate = { nodes: Math.max(known.length, peers.peers().length), until: clock.now() + ESTIMATE_TIME }
    }
    return Math.max(estimate.nodes, peers.peers().length)
  }

  /** Waits for this node's moment; whether it is to answer then. */
  async function moment(envelope: VerifiedEnvelope, signal: AbortSignal): Promise<boolean> {
    if (budgetOf?.(envelope.authorization?.origin ?? envelope.from.did).take() === false) return refuse('too-often')
    const nodes = await networkSize()
    if (nodes > rule.answers && randomInt(random, nodes) >= rule.answers) return refuse('not-chosen')
    const left = Math.max(0, envelope.expiresAt - clock.now())
    const window = Math.floor(Math.min(rule.perNode * nodes, rule.longest, left / 2))
    if (window > 0) await clock.sleep(millis(randomInt(random, window)), { signal })
    return true
  }

  function refuse(reason: 'too-often' | 'not-chosen'): false {
    counters.increment(`broadcasts.not-answered.${reason}`)
    return false
  }

  return {
    over: (handler) => async (request, envelope, options) => {
      if (envelope.isBroadcast && !(await moment(envelope, options.signal))) return SILENCE
      return handler(request, envelope, options)
    }
  }
}
