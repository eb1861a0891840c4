import type { Actor } from '../../actor/index.ts'
import { DmsError, type Millis } from '../../base/index.ts'
import { didOf, publicKeyOfPeerId } from '../../identity/index.ts'
import { peersConnect, peersDht, peersList, peersPing, peersScore, peersSelf } from '../../protocol/index.ts'
import type { PeerDirectory, PeerScore } from './peers.ts'

const NANOS_PER_MILLI = 1_000_000

/** Serves `/dms/node/peers/…`. */
export function servePeerBehaviors(actor: Actor, peers: PeerDirectory): void {
  actor.on(peersSelf, async () => ({
    id: peers.peerId,
    listenAddress: peers.addresses().join(', '),
    did: actor.handle.did,
    reachability: peers.reachability()
  }))
  actor.on(peersList, async () => {
    const connected = [...peers.peers()].sort()
    return { upper: connected, lower: connected.map((id) => ({ id, did: didOfPeer(id), connection: peers.connectionTo(id) })) }
  })
  actor.on(peersPing, async ({ host }, _envelope, options) => {
    try {
      const roundTrip = await peers.ping(host, options)
      return { error: '', rtt: Math.max(1, Math.round(roundTrip)), rttMicros: Math.round(roundTrip * 1000) }
    } catch (error) {
      // Clients read the failure from the reply (B §7.1, E §2.1).
      if (error instanceof DmsError) return { error: error.message, rtt: 0 }
      throw error
    }
  })
  actor.on(peersConnect, async ({ address }, _envelope, options) => {
    const peer = await peers.connect(address, options)
    return { status: 'CONNECTED', error: '', peer }
  })
  actor.on(peersDht, async () => ({
    peers: peers
      .routingTable()
      .map(({ peer, answeredAt }) => ({ id: peer, ...(answeredAt === undefined ? {} : { answeredAt: iso(answeredAt) }) }))
  }))
  actor.on(peersScore, async () => ({
    score: Object.fromEntries([...peers.scores()].map(([peer, score]) => [peer, toWire(score)]))
  }))
}

function toWire({ topics, ...score }: PeerScore) {
  // With hundreds of peers the topics on which nothing happened would be most of the reply.
  const onTopics = Object.entries(topics)
    .filter(([, counts]) => Object.values(counts).some((count) => count !== 0))
    .map(([topic, { timeInMesh, ...counts }]) => [topic, { timeInMesh: timeInMesh * NANOS_PER_MILLI, ...counts }] as const)
  return { ...score, topics: Object.fromEntries(onTopics) }
}

function didOfPeer(peer: string): string | undefined {
  const key = publicKeyOfPeerId(peer)
  return key.ok ? didOf(key.value) : undefined
}

function iso(instant: Millis): string {
  return new Date(instant).toISOString()
}
