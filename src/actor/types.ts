import type { AbortOptions, Millis, Service } from '../base/index.ts'
import type { KeyPair } from '../identity/index.ts'
import type { Behavior, Handler, VerifiedEnvelope } from './behavior.ts'
import type { Handle } from './handle.ts'
import type { Relay } from './relay.ts'

/** How a message is sent. */
export interface SendOptions extends AbortOptions {
  /** How long the message, and the wait for its reply, may take. Default 30 s (B §2.1). */
  readonly timeout?: Millis
  /** The behaviour that a reply invokes, where it is not a one-shot reply path. */
  readonly replyTo?: string
  /** The message that this one answers outside of the ordinary reply: its tokens may carry the answer. */
  readonly inReplyTo?: VerifiedEnvelope
}

/** One addressable actor of this process. */
export interface Actor {
  readonly handle: Handle
  readonly key: KeyPair
  /** Serves a behaviour; the same path may be served once at a time. Returns its end. */
  on<Request, Reply>(behavior: Behavior<Request, Reply>, handler: Handler<NoInfer<Request>, NoInfer<Reply>>): () => void
  /** Sends without waiting for a reply. */
  send<Request>(to: Handle, behavior: Behavior<Request, unknown>, request: NoInfer<Request>, options?: SendOptions): Promise<void>
  /**
   * Sends and waits for the reply of exactly the actor asked.
   *
   * @throws RemoteError when the other side answers with an error.
   * @throws NoReplyError when nothing came in time.
   */
  invoke<Request, Reply>(
    to: Handle,
    behavior: Behavior<Request, Reply>,
    request: NoInfer<Request>,
    options?: SendOptions
  ): Promise<Reply>
  /** Publishes on the topic of the behaviour. */
  broadcast<Request>(behavior: Behavior<Request, unknown>, request: NoInfer<Request>, options?: SendOptions): Promise<void>
}

/** All actors of a node. */
export interface ActorSystem extends Service, Relay {
  readonly root: Actor
  /** Lets the root actor run what arrives; until then it waits, so that nothing is asked of a node that still restores. */
  serve(): void
  /** A child with its own key (fresh, or the given one when it is restored) and the DID of this process (B §3.1). */
  spawn(inbox: string, options?: { readonly key?: KeyPair }): Actor
  /** Stops listening, lets running handlers end, aborts them at the latest after the drain time. */
  retire(actor: Actor): Promise<void>
  /** Refused and accepted frames by reason. */
  readonly counters: Counters
}

/** Counts events by name; satisfied by `telemetry`. */
export interface Counters {
  increment(name: string, by?: number): void
  snapshot(): Readonly<Record<string, number>>
}
