import '../polyfills.ts'
import type { IdentifyResult, PeerId, PrivateKey } from '@libp2p/interface'
import { CancelledError, type Clock, errorMessage, type Logger, type Millis, millis, withTimeout } from '../base/index.ts'
import type { PeerAddress } from './addresses.ts'
import { stayConnected } from './bootstrap.ts'
import type { Counters } from './counters.ts'
import { ListenFailedError, StartFailedError, UnreachableError } from './errors.ts'
import type { Inboxes } from './inboxes.ts'
import { createKeptTransmitter, type KeptTransmitter } from './kept-transmit.ts'
import { createNode, type Node } from './libp2p-node.ts'
import type { NetworkLimits } from './limits.ts'
import { createReach, type Reach } from './reach.ts'
import { createReceiver, type Receiver } from './receive.ts'
import type { Subscribers } from './subscribers.ts'
import { createTopics, type Topics } from './topics.ts'
import { createTransmitter } from './transmit.ts'
import type { PeerEvent } from './types.ts'

/** What one life of a libp2p node needs. */
export interface SessionOptions {
  readonly privateKey: PrivateKey
  readonly self: PeerId
  readonly listen: readonly string[]
  readonly bootstrap: readonly PeerAddress[]
  readonly inboxes: Inboxes
  readonly subscribers: Subscribers
  readonly counters: Counters
  readonly peerScore: (peer: string) => number
  readonly onPeer: (event: PeerEvent) => void
  readonly limits: NetworkLimits
  readonly clock: Clock
  readonly log: Logger
}

/** A libp2p node between its start and its stop. Peers are libp2p's own values: the host turns texts into them. */
export interface Session extends Receiver, Omit<KeptTransmitter, 'close'> {
  readonly topics: Topics
  readonly reach: Reach
  peers(): readonly string[]
  knownPeers(): Promise<readonly string[]>
  addresses(): readonly string[]
  ping(peer: PeerId, signal: AbortSignal | undefined): Promise<Millis>
  /** Ends within 2 s, whatever peers do; one-shot timers of the library may run out for another second, and do nothing then. */
  close(): Promise<void>
}

/** How long an orderly stop may take before connections are cut. */
const STOP_TIMEOUT = millis(1500)

/**
 * Starts a node: inboxes are offered before the first peer can ask, then the bootstrap peers are dialled in the background
 * (B §5.2, §12.4). Inboxes and topics that come meanwhile are left to the caller: `offerInboxes`, `topics.followSubscribers`.
 *
 * @throws ListenFailedError, StartFailedError; nothing is left running then.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { clock, log, limits } = options
  const node = await createNode(options)
  const receiver = createReceiver(node, options)
  receiver.offerInboxes()
  await startNode(node, options.listen)
  const topics = createTopics(node.services.pubsub, options)

  const stopping = new AbortController()
  watchPeers(node, options.onPeer, stopping.signal)
  const reach = createReach(node, clock, limits)
  const plain = createTransmitter(reach, { limits, clock })
  const kept = createKeptTransmitter({ node, reach, plain, counters: options.counters, limits, clock })
  const joining = stayConnected(
    {
      addresses: options.bootstrap.filter(({ peer }) => !peer.equals(options.self)),
      reach,
      isConnected: (peer) => node.getConnections(peer).length > 0,
      nextDisconnect: (signal) => nextDisconnect(node, signal),
      pause: limits.rejoinPause,
      clock,
      log
    },
    stopping.signal
  )

  return {
    ...receiver,
    transmit: kept.transmit,
    speaksKept: kept.speaksKept,
    topics,
    reach,
    peers: () => node.getPeers().map(String),
    async knownPeers() {
      const peers = await node.peerStore.all()
      return peers.filter(({ id }) => !id.equals(options.self)).map(({ id }) => id.toString())
    },
    addresses: () => node.getMultiaddrs().map(String),
    ping: (peer, signal) => pingPeer(node, reach, peer, { clock, limits, signal }),
    async close() {
      stopping.abort()
      kept.close()
      topics.close()
      await stopNode(node, clock, log)
      await joining
    }
  }
}

async function startNode(node: Node, listen: readonly string[]): Promise<void> {
  try {
    await node.start()
  } catch (cause) {
    const reason = plainReason(cause)
    if (cause instanceof Error && cause.name === 'UnsupportedListenAddressesError') {
      throw new ListenFailedError(`cannot listen on ${listen.join(', ')} (p2p.listen_address): ${reason}`, { cause })
    }
    throw new StartFailedError(`the network did not start: ${reason}`, { cause })
  }
}

/** What the operating system said, out of libp2p's texts, which quote whole stacks. */
function plainReason(cause: unknown): string {
  const message = errorMessage(cause)
  const said = message.match(/\bE[A-Z]{3,}\b[^\n]*/g)?.map((line) => line.trim()) ?? []
  return said.length > 0 ? [...new Set(said)].join('; ') : message.replaceAll(/\s+/g, ' ')
}

async function stopNode(node: Node, clock: Clock, log: Logger): Promise<void> {
  try {
    await withTimeout(clock, STOP_TIMEOUT, 'stopping the network', async () => node.stop())
  } catch (error) {
    log.warn('the network did not stop in order, so its connections are cut', { error: errorMessage(error) })
    for (const connection of node.getConnections()) connection.abort(new Error('the node stopped'))
  }
}

function watchPeers(node: Node, onPeer: (event: PeerEvent) => void, signal: AbortSignal): void {
  const identified = ({ detail: { peerId, protocols } }: CustomEvent<IdentifyResult>): void =>
    onPeer({ type: 'identified', peer: peerId.toString(), protocols })
  const disconnected = ({ detail }: CustomEvent<PeerId>): void =>
    onPeer({ type: 'disconnected', peer: detail.toString(), protocols: [] })
  node.addEventListener('peer:identify', identified, { signal })
  node.addEventListener('peer:disconnect', disconnected, { signal })
}

function nextDisconnect(node: Node, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      node.removeEventListener('peer:disconnect', onDisconnect)
      reject(new CancelledError('waiting for a disconnect was cancelled'))
    }
    const onDisconnect = (): void => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    node.addEventListener('peer:disconnect', onDisconnect, { once: true })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

interface PingOptions {
  readonly clock: Clock
  readonly limits: NetworkLimits
  readonly signal: AbortSignal | undefined
}

async function pingPeer(node: Node, reach: Reach, peer: PeerId, { clock, limits, signal }: PingOptions): Promise<Millis> {
  const work = async (inner: AbortSignal): Promise<Millis> => {
    await reach.connection(peer, inner)
    return millis(await node.services.ping.ping(peer, { signal: inner }))
  }
  try {
    return await withTimeout(clock, limits.pingTimeout, `the ping of ${peer}`, work, signal === undefined ? {} : { signal })
  } catch (cause) {
    if (cause instanceof UnreachableError || cause instanceof CancelledError) throw cause
    throw new UnreachableError(`${peer} did not answer: ${errorMessage(cause)}`, { cause })
  }
}
