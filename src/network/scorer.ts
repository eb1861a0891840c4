import { type Clock, type Millis, millis } from '../base/index.ts'
import { TOPIC_SCORE } from './scores.ts'
import type { PeerScore, TopicScore } from './types.ts'

/** The scores inside of the gossip router. */
export interface Scorer {
  /** Gives a topic its parameters. */
  setTopic(topic: string): void
  /** The scores of these peers now, in their order; without those that the router does not know. */
  scores(peers: readonly string[]): ReadonlyMap<string, PeerScore>
}

/** Peers on one address that are normal, as the library counts them. */
const NORMAL_PEERS_PER_ADDRESS = 10

/**
 * The library takes the parameters of topics only when the router is made, and shows no scores; both are reached on the router
 * itself. Should a later version move them, the tests of this module fail, and a node merely scores without topics.
 */
export function scorerOf(router: object, clock: Clock): Scorer {
  const keeper = field(router, 'score')
  const topics = field(field(keeper, 'params'), 'topics')
  return {
    setTopic: (topic) => {
      if (isObject(topics)) Reflect.set(topics, topic, TOPIC_SCORE)
    },
    scores: (peers) =>
      new Map(
        peers.flatMap((peer) => {
          const score = scoreOf(router, keeper, peer, clock.now())
          return score === undefined ? [] : [[peer, score] as const]
        })
      )
  }
}

function scoreOf(router: object, keeper: unknown, peer: string, now: Millis): PeerScore | undefined {
  const stats = entryOf(field(keeper, 'peerStats'), peer)
  if (!hasScores(router) || stats === undefined) return undefined
  return {
    score: router.getScore(peer),
    application: applicationOf(field(keeper, 'params'), peer),
    colocation: colocationOf(field(keeper, 'peerIPs'), field(stats, 'knownIPs')),
    penalty: numberOf(field(stats, 'behaviourPenalty')),
    topics: topicsOf(field(stats, 'topics'), now)
  }
}

function applicationOf(params: unknown, peer: string): number {
  const score = field(params, 'appSpecificScore')
  return typeof score === 'function' ? numberOf(Reflect.apply(score, undefined, [peer])) : 0
}

function colocationOf(peersByAddress: unknown, addresses: unknown): number {
  if (!(addresses instanceof Set)) return 0
  return [...addresses].reduce<number>((sum, address) => {
    const peers = entryOf(peersByAddress, address)
    const surplus = peers instanceof Set ? peers.size - NORMAL_PEERS_PER_ADDRESS : 0
    return sum + Math.max(0, surplus) ** 2
  }, 0)
}

function topicsOf(topics: unknown, now: Millis): Readonly<Record<string, TopicScore>> {
  if (!isObject(topics)) return {}
  return Object.fromEntries(
    Object.entries(topics)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([topic, stats]) => [topic, topicScoreOf(stats, now)])
  )
}

function topicScoreOf(stats: unknown, now: Millis): TopicScore {
  // The library's own `meshTime` is as old as its last decay, an hour at worst.
  const inMesh = field(stats, 'inMesh') === true ? Math.max(0, now - numberOf(field(stats, 'graftTime'))) : 0
  return {
    timeInMesh: millis(inMesh),
    firstDeliveries: numberOf(field(stats, 'firstMessageDeliveries')),
    meshDeliveries: numberOf(field(stats, 'meshMessageDeliveries')),
    invalidDeliveries: numberOf(field(stats, 'invalidMessageDeliveries'))
  }
}

function entryOf(map: unknown, key: unknown): unknown {
  return map instanceof Map ? map.get(key) : undefined
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

function field(value: unknown, name: string): unknown {
  return isObject(value) ? Reflect.get(value, name) : undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function hasScores(router: object): router is { getScore(peer: string): number } {
  return typeof field(router, 'getScore') === 'function'
}
