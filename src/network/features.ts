import { RELAY_LIMITS, type RelayLimits } from './limits.ts'

/** When this node has others lead to it through relays. */
export type RelayUse = 'auto' | 'always' | 'never'

/** What a node offers besides messages. */
export interface NetworkFeatures {
  /** Whether it relays connections between nodes that cannot reach each other directly. */
  readonly relayService: boolean
  /** What it gives each of them. */
  readonly relayLimits: RelayLimits
  /** When it has others lead to it through relays: `auto` while nobody reaches it directly. */
  readonly relayUse: RelayUse
  /** Whether it asks the router for a public port. */
  readonly portMapping: boolean
  /** Whether it looks for nodes in its local network, and is found there. */
  readonly localDiscovery: boolean
}

/** The features of a node that asks for none. */
export const NO_FEATURES: NetworkFeatures = {
  relayService: false,
  relayLimits: RELAY_LIMITS,
  relayUse: 'auto',
  portMapping: false,
  localDiscovery: false
}
