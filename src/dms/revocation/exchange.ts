import { type Actor, type Counters, SILENCE, type VerifiedEnvelope } from '../../actor/index.ts'
import {
  type Clock,
  createBudget,
  createBudgets,
  createSerialQueue,
  errorMessage,
  type Logger,
  millis,
  minutes,
  type Random,
  randomInt,
  type Service,
  seconds
} from '../../base/index.ts'
import { revocationNotice } from '../../protocol/index.ts'
import { type CapabilityContext, encodeToken, type Token } from '../../ucan/index.ts'
import type { KnownRevocations } from './known.ts'

/** Sends revocations to other nodes, and hears theirs. */
export interface RevocationExchange extends Service {
  /** Resolves when the first message is out; the others follow. Who is away hears of them later if they are anchors of this node. */
  publish(revocations: readonly Token[]): Promise<void>
  /** What to do with revocations that came as a broadcast. */
  receive(revocations: readonly Token[], envelope: VerifiedEnvelope): Promise<typeof SILENCE>
}

/** What {@link createRevocationExchange} needs. */
export interface RevocationExchangeOptions {
  readonly actor: Actor
  readonly context: CapabilityContext
  readonly known: KnownRevocations
  readonly peers: NewPeers
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly counters: Counters
}

/** The part of a peer directory that tells who comes and goes. */
export interface NewPeers {
  onPeer(
    listener: (
      event:
        | { readonly type: 'identified'; readonly peer: string; readonly protocols: readonly string[] }
        | { readonly type: 'disconnected'; readonly peer: string }
    ) => void
  ): () => void
}

/** The protocol by which a peer shows that it is a DMS (B §4.1). */
const ROOT_PROTOCOL = 'actor/root/messages/0.0.1'

/** One message: so many tokens, and so many bytes of them. */
const BATCH_TOKENS = 32
const BATCH_BYTES = 12_288

/** Between the messages of one round: receivers take one a second from a sender for ever. */
const BATCH_PAUSE = seconds(1)

/** How long after a peer has come the round for it begins: its subscriptions are known then, and others may have come too. */
const PEER_WAIT_MS = 3000
const PEER_WAIT_SPREAD_MS = 3000

/** Rounds for new peers: a peer that comes and goes does not make this node talk without end. */
const PEER_ROUNDS = { capacity: 10, perSecond: 1 / 20 }

/** The regular round: for those who missed a message, and those that are connected over others. */
const ROUND_MS = minutes(10)
const ROUND_SPREAD_MS = 120_000

/** What is taken from one sender, in messages, and from all together, in signatures to check. */
const SENDER_BUDGET = { capacity: 32, perSecond: 1 }
const SIGNATURE_BUDGET = { capacity: 1024, perSecond: 32 }

/** Of each message so many are checked in any case: who uses the budget up cannot keep others, one by one, from being heard. */
const SURE_SIGNATURES = 2

/**
 * Creates the exchange of revocations over the topic `/nunet/revocation`.
 *
 * A node repeats those that are its own anchors, and no others: who anchors a revocation stands for it.
 */
export function createRevocationExchange(options: RevocationExchangeOptions): RevocationExchange {
  const { actor, context, known, peers, clock, random, log, counters } = options
  const lifetime = new AbortController()
  const abort = { signal: lifetime.signal }
  const budgetOf = createBudgets(clock, SENDER_BUDGET)
  const signatures = createBudget(clock, SIGNATURE_BUDGET)
  const peerRounds = createBudget(clock, PEER_ROUNDS)
  const rounds = createSerialQueue()
  const present = new Set<string>()
  let isRoundPlanned = false
  let unsubscribe: (() => void) | undefined

  async function publish(revocations: readonly Token[]): Promise<void> {
    const [first, ...others] = batchesOf(revocations)
    if (first === undefined) return
    await actor.broadcast(revocationNotice, { token: first }, abort)
    publishSlowly(others).catch(tellFailure)
  }

  async function publishSlowly(batches: readonly (readonly Token[])[]): Promise<void> {
    for (const token of batches) {
      await clock.sleep(BATCH_PAUSE, abort)
      await actor.broadcast(revocationNotice, { token }, abort)
    }
  }

  const publishOwn = (): Promise<void> => publishSlowly(batchesOf(context.list(clock.now()).revoke))

  async function receive(revocations: readonly Token[], envelope: VerifiedEnvelope): Promise<typeof SILENCE> {
    const sender = envelope.authorization?.origin ?? envelope.from.did
    if (!budgetOf(sender).take()) {
      counters.increment('revocations.refused.too-often')
      return SILENCE
    }
    let sure = SURE_SIGNATURES
    const counts = await known.learn(revocations, sender, () => {
      sure -= 1
      return sure >= 0 || signatures.take()
    })
    for (const [outcome, count] of Object.entries<number>({ ...counts }))
      if (count > 0) counters.increment(`revocations.${outcome}`, count)
    if (counts.learned > 0) log.info('revocations learned', { count: counts.learned, from: sender })
    if (counts.full > 0) log.warn('revocations not kept: too many are remembered', { count: counts.full, from: sender })
    return SILENCE
  }

  function planRound(): void {
    if (isRoundPlanned || !peerRounds.take()) return
    isRoundPlanned = true
    clock
      .sleep(millis(PEER_WAIT_MS + randomInt(random, PEER_WAIT_SPREAD_MS)), abort)
      .then(() => {
        isRoundPlanned = false // who comes from now on gets a round of its own
        return rounds.run(publishOwn)
      })
      .catch(tellFailure)
  }

  function tellFailure(error: unknown): void {
    if (!lifetime.signal.aborted) log.warn('revocations were not published; tried again later', { error: errorMessage(error) })
  }

  async function repeat(): Promise<void> {
    for (;;) {
      await clock.sleep(millis(ROUND_MS + randomInt(random, ROUND_SPREAD_MS)), abort)
      await Promise.all([known.sweep(), rounds.run(publishOwn)]).catch(tellFailure)
    }
  }

  return {
    name: 'revocation exchange',
    publish,
    receive,
    start() {
      actor.on(revocationNotice, ({ token }, envelope) => receive(token, envelope))
      unsubscribe = peers.onPeer((event) => {
        if (event.type === 'disconnected') {
          present.delete(event.peer)
          return
        }
        if (present.has(event.peer) || !event.protocols.includes(ROOT_PROTOCOL)) return
        present.add(event.peer)
        if (context.list(clock.now()).revoke.length > 0) planRound()
      })
      repeat().catch(() => undefined) // only the sleep rejects, at the end
      return Promise.resolve()
    },
    stop() {
      unsubscribe?.()
      lifetime.abort()
      return Promise.resolve()
    }
  }
}

/** Cuts a list so that each part fits into one message. */
function batchesOf(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const batches: Token[][] = []
  let room = 0
  for (const token of tokens) {
    const size = Buffer.byteLength(encodeToken(token))
    const last = batches.at(-1)
    if (last === undefined || last.length >= BATCH_TOKENS || size > room) {
      batches.push([token])
      room = BATCH_BYTES - size
    } else {
      last.push(token)
      room -= size
    }
  }
  return batches
}
