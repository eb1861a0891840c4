import type { Codec, Millis } from '../base/index.ts'
import type { Authorization, Token } from '../ucan/index.ts'
import type { Handle } from './handle.ts'

/** What an actor can be asked to do: a path, and the forms of request and reply (B §7). */
export interface Behavior<Request, Reply> {
  readonly name: string
  /** The topic on which it is also delivered as a broadcast. */
  readonly topic?: string
  readonly request: Codec<Request>
  readonly reply: Codec<Reply>
}

/** Returned by a handler that deliberately says nothing (a bid request that is not answered, B §7.1). */
export const SILENCE: unique symbol = Symbol('silence')

declare const verified: unique symbol

/**
 * A message that passed every check: form, addressee, connection, expiry, replay, signature, capabilities.
 *
 * Only the verifier makes one, so a handler that could be reached unchecked does not compile.
 */
export interface VerifiedEnvelope {
  readonly [verified]: true
  readonly from: Handle
  readonly to: Handle
  readonly behavior: string
  readonly replyTo: string
  readonly expiresAt: Millis
  readonly isBroadcast: boolean
  /** Why it was allowed; `undefined` when an actor wrote to itself. */
  readonly authorization: Authorization | undefined
  /** The tokens that came with it; a reply may build on them. */
  readonly tokens: readonly Token[]
}

/** What runs when a behaviour is invoked. The signal is aborted when the message expires or the actor is retired. */
export type Handler<Request, Reply> = (
  request: Request,
  envelope: VerifiedEnvelope,
  options: { readonly signal: AbortSignal }
) => Promise<Reply | typeof SILENCE>
