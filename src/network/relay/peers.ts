import type { PeerId } from '@libp2p/interface'

/** What is known about relays before and while a node runs; the parts of libp2p that are made first ask it. */
export interface RelayPeers {
  readonly bootstrap: ReadonlySet<string>
  /** Peers that could relay, bootstrap nodes among them: dials to them leave from the listening port. */
  readonly known: Set<string>
  /** Peers that relay for this node now: only through them others may come. */
  readonly held: Set<string>
}

/** Creates the {@link RelayPeers} of a node that has not met anybody. */
export function createRelayPeers(bootstrap: readonly PeerId[]): RelayPeers {
  const named = new Set(bootstrap.map(String))
  return { bootstrap: named, known: new Set(named), held: new Set() }
}
