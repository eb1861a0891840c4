import '../polyfills.ts'
import { type GossipSub, gossipsub, type Message } from '@libp2p/gossipsub'
import { type Identify, type IdentifyPush, identify, identifyPush } from '@libp2p/identify'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { mebibytes, seconds } from '../base/index.ts'
import { MAX_FRAME, type NetworkLimits } from './limits.ts'
import { SCORE_THRESHOLDS, scoreParameters } from './scores.ts'

/** The services of our libp2p node, by the names under which it holds them. */
export type NodeServices = {
  readonly identify: Identify
  readonly identifyPush: IdentifyPush
  readonly ping: Ping
  readonly pubsub: GossipSub
  readonly dht: KadDHT
}

/** Our libp2p node; stays inside this module. */
export type Node = Libp2p<NodeServices>

/** What a node is made of. */
export interface NodeOptions {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly limits: NetworkLimits
  readonly peerScore: (peer: string) => number
}

/** Streams that a fleet behind one NAT address may open at us per second, and that may be in the handshake at once. */
const INBOUND_PER_SECOND = 100
const PENDING_INBOUND = 128

/** Streams that one connection may have open at us: eight times the frames that are read from one peer. */
const MUXED_STREAMS = 512

/** Bytes waiting for one slow gossip peer before its stream is given up. */
const GOSSIP_BUFFER = mebibytes(4)

const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: seconds(30), noDelay: true }

/**
 * Builds a node that is not started: TCP, Noise, Yamux, identify, ping, gossipsub and Kademlia (B §5.1, §5.2, §5.4).
 *
 * Kademlia serves from the start, as a Go node in auto-server mode does, and keeps private addresses: nodes of one site must find
 * each other. Every address may be dialled, loopback too.
 */
export function createNode({ privateKey, listen, limits, peerScore }: NodeOptions): Promise<Node> {
  return createLibp2p<NodeServices>({
    start: false,
    privateKey,
    addresses: { listen: [...listen] },
    transports: [tcp({ dialOpts: KEEP_ALIVE, listenOpts: KEEP_ALIVE })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxInboundStreams: MUXED_STREAMS, maxOutboundStreams: 4096, maxEarlyStreams: 1024 })],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: {
      maxConnections: limits.connections,
      inboundConnectionThreshold: INBOUND_PER_SECOND,
      maxIncomingPendingConnections: PENDING_INBOUND,
      dialTimeout: limits.dialTimeout
    },
    connectionMonitor: { pingInterval: seconds(30) },
    services: {
      identify: identify({ runOnLimitedConnection: true }),
      identifyPush: identifyPush({ runOnLimitedConnection: true }),
      ping: ping({ maxInboundStreams: 8, maxOutboundStreams: 64 }),
      dht: kadDHT({
        protocol: '/nunet/kad/1.0.0',
        clientMode: false,
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true
      }),
      pubsub: gossipsub({
        globalSignaturePolicy: 'StrictSign',
        floodPublish: true,
        doPX: true,
        emitSelf: false,
        allowPublishToZeroTopicPeers: true,
        runOnLimitedConnection: true,
        msgIdFn: messageId,
        maxInboundDataLength: 2 * MAX_FRAME,
        maxOutboundBufferSize: GOSSIP_BUFFER,
        scoreParams: scoreParameters(peerScore),
        scoreThresholds: SCORE_THRESHOLDS
      })
    }
  })
}

/**
 * Sender's peer id bytes and big-endian sequence number, the id that Go routers give a message (B §12.6). The library's own default
 * takes the public key instead, so that the two could not tell each other which messages they have.
 */
function messageId(message: Message): Uint8Array {
  if (message.type !== 'signed') return message.data
  const sequence = Buffer.alloc(8)
  sequence.writeBigUInt64BE(message.sequenceNumber)
  return Buffer.concat([message.from.toMultihash().bytes, sequence])
}
