import type { Behavior } from '../actor/index.ts'
import type { WireCodec } from './codec.ts'

/** Who may call a behaviour in practice (B §7): the holders of a capability that implies its path. */
export type Callers = 'root' | 'public' | 'broadcast' | 'deploy' | 'ensemble' | 'allocation'

/** A behaviour of the public contract: serves the node, the clients and the reference page alike. */
export interface PublicBehavior<Request, Reply> extends Behavior<Request, Reply> {
  readonly request: WireCodec<Request>
  readonly reply: WireCodec<Reply>
  readonly callers: Callers
  /** One sentence for the reference page. */
  readonly summary: string
  /** What is different in older or newer nodes of the Go implementation, for the reference page. */
  readonly eras?: string
}

/** Declares a behaviour. */
export function define<Request, Reply>(behavior: PublicBehavior<Request, Reply>): PublicBehavior<Request, Reply> {
  return behavior
}
