/** What a node offers besides messages. */
export interface NetworkFeatures {
  /** Whether it relays connections between nodes that cannot reach each other directly. */
  readonly relayService: boolean
  /** Whether it asks the router for a public port. */
  readonly portMapping: boolean
  /** Whether it looks for nodes in its local network, and is found there. */
  readonly localDiscovery: boolean
}

/** The features of a node that asks for none. */
export const NO_FEATURES: NetworkFeatures = { relayService: false, portMapping: false, localDiscovery: false }
