import '../../src/polyfills.ts'
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Speaker } from './envelopes.ts'
import { createStranger, type Target } from './target.ts'

type Services = { readonly identify: Identify; readonly pubsub: GossipSub }

/** A libp2p node that keeps no rule: no limits of its own, and the key of whoever it speaks for. */
export interface HostilePeer {
  readonly speaker: Speaker
  readonly node: Libp2p<Services>
  /** A stream to the node, on a connection that is made again when it was cut. */
  open(protocol: string, signal: AbortSignal): Promise<Stream>
  connection(signal: AbortSignal): Promise<Connection>
  stop(): Promise<void>
}

const UNBOUNDED = 1_000_000

/** Creates a started {@link HostilePeer}; it is connected at the first use. */
export async function createHostilePeer(target: Target, speaker: Speaker = createStranger()): Promise<HostilePeer> {
  const node = await createLibp2p<Services>({
    privateKey: privateKeyFromProtobuf(speaker.key.exportPrivate()),
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxOutboundStreams: UNBOUNDED, maxInboundStreams: UNBOUNDED })],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { reconnectRetries: 0 },
    services: {
      identify: identify(),
      pubsub: gossipsub({ allowPublishToZeroTopicPeers: true, floodPublish: true })
    }
  })
  const address = multiaddr(target.address)
  const connection = async (signal: AbortSignal): Promise<Connection> => {
    const open = node.getConnections().find(({ status }) => status === 'open')
    return open ?? (await node.dial(address, { signal }))
  }
  return {
    speaker,
    node,
    connection,
    async open(protocol, signal) {
      const stream = await (await connection(signal)).newStream(protocol, { signal, maxOutboundStreams: UNBOUNDED })
      stream.addEventListener('close', () => undefined)
      return stream
    },
    stop: async () => node.stop()
  }
}
