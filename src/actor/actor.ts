import { type Clock, type Logger, type Random, seconds } from '../base/index.ts'
import type { KeyPair } from '../identity/index.ts'
import type { CapabilityContext } from '../ucan/index.ts'
import type { Behavior } from './behavior.ts'
import { BadPayloadError } from './errors.ts'
import type { Gate } from './gate.ts'
import { EMPTY_HANDLE, type Handle } from './handle.ts'
import type { Intake } from './intake.ts'
import { createInvoker } from './invoker.ts'
import type { ActorLimits } from './limits.ts'
import type { Outbox } from './outbox.ts'
import type { EnvelopeReader } from './reader.ts'
import { createReception } from './reception.ts'
import type { ReplayWindow } from './replay.ts'
import { createReplies, toPayload } from './replies.ts'
import { createRunner } from './runner.ts'
import { createSubscriptions } from './subscriptions.ts'
import type { MessageTransport } from './transport.ts'
import type { Actor, Counters, SendOptions } from './types.ts'
import type { SignatureVerifier } from './verify.ts'

/** An actor with its life. */
export interface ActorCell {
  readonly actor: Actor
  /** Begins to listen; what arrives is verified and waits. */
  open(): void
  /** Begins to run what arrives. */
  serve(): void
  close(): Promise<void>
}

/** What an actor is made of. */
export interface ActorCellOptions {
  readonly handle: Handle
  readonly key: KeyPair
  readonly context: CapabilityContext
  readonly transport: MessageTransport
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly counters: Counters
  readonly outbox: Outbox
  readonly verifier: SignatureVerifier
  readonly reader: EnvelopeReader
  readonly replays: ReplayWindow
  readonly limits: ActorLimits
  /** Shared by all actors of a node. */
  readonly gate: Gate
  /** Shared by all actors of a node. */
  readonly intake: Intake
}

/** How long a retired actor waits for its running handlers before it aborts them. */
const DRAIN_TIME = seconds(5)

/** Creates an actor; it neither sends nor hears before `open`. */
export function createActorCell(options: ActorCellOptions): ActorCell {
  const { handle, key, transport, clock, random, log, counters, outbox, limits } = options
  const end = new AbortController()
  const lifetime = end.signal
  let stopListening: (() => void) | undefined
  const runner = createRunner({ clock, log, overtime: limits.overtime, lifetime })
  const replies = createReplies({ outbox, random, log, counters, lifetime })
  const invoker = createInvoker({ outbox, clock, random, lifetime })
  const isOpen = (): boolean => stopListening !== undefined
  const reception = createReception({ ...options, ownPeer: transport.peerId, runner, replies, invoker, lifetime, isOpen })
  const subscriptions = createSubscriptions({ ...options, receive: (frame) => reception.receive(frame, undefined) })

  const actor: Actor = {
    handle,
    key,
    on(behavior, handler) {
      const endOfBehavior = runner.on(behavior, handler)
      if (behavior.topic !== undefined) subscriptions.listenTo(behavior.topic)
      return endOfBehavior
    },
    async send(to, behavior, request, sendOptions = {}) {
      const sealed = await outbox.seal({ ...draftOf(behavior, request, sendOptions), to }, sendOptions)
      await outbox.post(sealed, sendOptions)
    },
    invoke: (to, behavior, request, sendOptions) => invoker.invoke(to, behavior, request, sendOptions),
    async broadcast(behavior, request, sendOptions = {}) {
      if (behavior.topic === undefined) throw new BadPayloadError(`${behavior.name} has no topic to broadcast on`)
      const draft = { ...draftOf(behavior, request, sendOptions), to: EMPTY_HANDLE, topic: behavior.topic }
      await outbox.post(await outbox.seal(draft, sendOptions), sendOptions)
    }
  }

  return {
    actor,
    open() {
      stopListening = transport.listen(handle.inbox, (frame, peer) => reception.receive(frame, peer))
    },
    serve: () => reception.serve(),
    async close() {
      stopListening?.()
      stopListening = undefined
      await subscriptions.close()
      const drained = new AbortController()
      await Promise.race([
        reception.idle(),
        clock.sleep(DRAIN_TIME, { signal: drained.signal }).catch(() => undefined) // drained first
      ])
      drained.abort()
      end.abort()
    }
  }
}

function draftOf<Request>(behavior: Behavior<Request, unknown>, request: Request, { timeout, replyTo, inReplyTo }: SendOptions) {
  return {
    behavior: behavior.name,
    payload: toPayload(behavior.request.encode(request)),
    ...(timeout === undefined ? {} : { timeout }),
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(inReplyTo === undefined ? {} : { received: inReplyTo.tokens })
  }
}
