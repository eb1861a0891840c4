import { type Clock, createCountedTurns, type Logger, type Random, type Turns } from '../base/index.ts'
import { createVerifier, generateKeyPair, type KeyPair, type Verifier } from '../identity/index.ts'
import type { CapabilityContext } from '../ucan/index.ts'
import { type ActorCell, createActorCell } from './actor.ts'
import { createDelivery } from './delivery.ts'
import { InboxTakenError } from './errors.ts'
import { createGate } from './gate.ts'
import { handleOf, ROOT_INBOX } from './handle.ts'
import { createIntake } from './intake.ts'
import type { ReplayJournal } from './journal.ts'
import { type ActorLimits, DEFAULT_ACTOR_LIMITS } from './limits.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import { createEnvelopeReader } from './reader.ts'
import { createRelay } from './relay.ts'
import { createReplayMemory } from './replay.ts'
import type { MessageTransport } from './transport.ts'
import type { ActorSystem, Counters } from './types.ts'

/** What an actor system is made of. */
export interface ActorSystemOptions {
  /** The key of the node: its DID, its root actor and its libp2p host are the same key (B §1.1). */
  readonly key: KeyPair
  readonly context: CapabilityContext
  readonly transport: MessageTransport
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly counters: Counters
  /** Bounds the verification work of one turn of the event loop; default {@link PIECES_PER_TURN} frames. */
  readonly turns?: Turns
  /** Overrides of {@link DEFAULT_ACTOR_LIMITS}. */
  readonly limits?: Partial<ActorLimits>
  /** Where accepted messages outlive a restart; without one, a restart forgets them. Must be open before the start. */
  readonly journal?: ReplayJournal
  /** Default a new one; share one to remember keys together. */
  readonly verifier?: Verifier
}

/** Frames verified in one turn where turns are counted, not measured. */
const PIECES_PER_TURN = 64

/**
 * Creates the actors of a node.
 *
 * Sealed envelopes in, checked behaviours run, sealed replies out: a handler sees only envelopes that passed `verifyFrame`.
 */
export function createActorSystem(options: ActorSystemOptions): ActorSystem {
  const { key, context, transport, clock, random, log, counters, verifier = createVerifier() } = options
  const reader = createEnvelopeReader()
  const limits = { ...DEFAULT_ACTOR_LIMITS, ...options.limits }
  const gate = createGate(clock, limits)
  const intake = createIntake(options.turns ?? createCountedTurns(PIECES_PER_TURN, clock), limits)
  const journal = options.journal === undefined ? {} : { journal: options.journal }
  const replays = createReplayMemory({ clock, log, capacity: limits.remembered, ...journal })
  const deliver = createDelivery({ transport, clock, random })
  const cells = new Map<string, ActorCell>()
  const nextNonce = createNonces(clock)

  function createCell(inbox: string, cellKey: KeyPair): ActorCell {
    const handle = handleOf(cellKey, context.did, transport.peerId, inbox)
    const outbox: Outbox = createOutbox({ handle, key: cellKey, context, transport, deliver, clock, nextNonce })
    return createActorCell({
      handle,
      key: cellKey,
      context,
      transport,
      clock,
      random,
      log: log.child({ inbox }),
      counters,
      outbox,
      verifier,
      reader,
      replays: replays.window(inbox),
      limits,
      gate,
      intake
    })
  }

  const rootCell = createCell(ROOT_INBOX, key)
  return {
    name: 'actors',
    root: rootCell.actor,
    counters,
    ...createRelay({ transport, deliver, clock, verifier, ownPeer: transport.peerId }),
    async start() {
      await replays.start()
      rootCell.open()
    },
    async stop() {
      const all = [...cells.values(), rootCell]
      cells.clear()
      await Promise.all(all.map((cell) => cell.close()))
      await replays.stop()
    },
    serve: () => rootCell.serve(),
    spawn(inbox, { key: given } = {}) {
      if (inbox === ROOT_INBOX || cells.has(inbox)) throw new InboxTakenError(`an actor with inbox ${inbox} exists already`)
      const cell = createCell(inbox, given ?? generateKeyPair(random))
      cell.open()
      cell.serve()
      cells.set(inbox, cell)
      return cell.actor
    },
    async retire(actor) {
      const cell = cells.get(actor.handle.inbox)
      if (cell === undefined) return
      cells.delete(actor.handle.inbox)
      await cell.close()
    }
  }
}

/** One counter for all nonces of a process: UNIX nanoseconds at first, then one more each time (B §1.4). */
function createNonces(clock: Clock): () => bigint {
  let last = 0n
  return () => {
    const now = BigInt(Math.round(clock.now())) * 1_000_000n
    last = now > last ? now : last + 1n
    return last
  }
}
