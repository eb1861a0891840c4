import type { AbortOptions, Millis } from '../../base/index.ts'

/** PORT: the peers of this node; declared here, satisfied by `network` and by `testing/memory-network`. */
export interface PeerDirectory {
  readonly peerId: string
  /** Peers that are connected now. */
  peers(): readonly string[]
  /** All peers heard of, connected or not. */
  knownPeers(): Promise<readonly string[]>
  /** Addresses under which this node can be dialled, each ending in `/p2p/<id>`. */
  addresses(): readonly string[]
  /** Whether others can open connections to this node: `unknown` until somebody tried. */
  reachability(): 'unknown' | 'public' | 'private'
  /** Dials a multiaddr and resolves with the peer id. */
  connect(address: string, options?: AbortOptions): Promise<string>
  /** The round trip. */
  ping(peer: string, options?: AbortOptions): Promise<Millis>
  isConnected(peer: string): boolean
  /** Whether a connected peer is reached itself or through a relay. */
  connectionTo(peer: string): 'direct' | 'relayed' | undefined
  /** Sets what counts for a peer among those that carry broadcasts. */
  scorePeersBy(scoreOf: (peer: string) => number): void
  /** How connected peers are scored, in the order of their ids. */
  scores(): ReadonlyMap<string, PeerScore>
  /** The peers through which the network is searched, in the order of their ids. */
  routingTable(): readonly { readonly peer: string; readonly answeredAt?: Millis }[]
  /** Counts of frames and broadcasts, by name. */
  stats(): object
  /** Calls back when a peer tells its protocols, and when it goes. Returns the end. */
  onPeer(listener: (event: PeerEvent) => void): () => void
}

/** The score of a peer and what it is made of (B §5.4). */
export interface PeerScore {
  readonly score: number
  readonly application: number
  readonly colocation: number
  readonly penalty: number
  readonly topics: Readonly<
    Record<
      string,
      {
        readonly timeInMesh: Millis
        readonly firstDeliveries: number
        readonly meshDeliveries: number
        readonly invalidDeliveries: number
      }
    >
  >
}

/** What a peer directory tells. */
export type PeerEvent =
  | { readonly type: 'identified'; readonly peer: string; readonly protocols: readonly string[] }
  | { readonly type: 'disconnected'; readonly peer: string }
