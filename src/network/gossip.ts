import { type GossipSub, type GossipSubComponents, gossipsub, type Message } from '@libp2p/gossipsub'
import { mebibytes } from '../base/index.ts'
import { MAX_FRAME } from './limits.ts'
import { SCORE_THRESHOLDS, scoreParameters } from './scores.ts'

/** Bytes waiting for one slow gossip peer before its stream is given up. */
const GOSSIP_BUFFER = mebibytes(4)

/** The gossip router of a node (B §5.4): the library's mesh, signed messages only, flood publish and peer exchange. */
export function createGossip(peerScore: (peer: string) => number): (components: GossipSubComponents) => GossipSub {
  return gossipsub({
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
