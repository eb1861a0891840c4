import { type GossipSub, type Message, TopicValidatorResult } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import { type Clock, errorMessage, type Logger } from '../base/index.ts'
import type { Counters } from './counters.ts'
import { PublishFailedError } from './errors.ts'
import { scorerOf } from './scorer.ts'
import type { Subscriber, Subscribers } from './subscribers.ts'
import type { PeerScore, Verdict } from './types.ts'

/** What joining topics needs. */
export interface TopicOptions {
  readonly self: PeerId
  readonly subscribers: Subscribers
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Logger
}

/** The gossip topics of a running node (B §5.4). */
export interface Topics {
  /** Joins exactly the topics that have subscribers now; to be called whenever the first came or the last left. */
  followSubscribers(): void
  /** Throws `NETWORK_PUBLISH_FAILED`. */
  publish(topic: string, frame: Uint8Array): Promise<void>
  /** The scores of these peers now, in their order; without those that the router does not know. */
  scores(peers: readonly string[]): ReadonlyMap<string, PeerScore>
  /** Stops delivering. */
  close(): void
}

const RESULTS: Readonly<Record<Verdict, TopicValidatorResult>> = {
  accept: TopicValidatorResult.Accept,
  reject: TopicValidatorResult.Reject,
  ignore: TopicValidatorResult.Ignore
}

/** Connects the router of a running node with the subscribers of its host. */
export function createTopics(router: GossipSub, { self, subscribers, counters, clock, log }: TopicOptions): Topics {
  /** Whose validators accepted a message: exactly they get it. */
  const audiences = new WeakMap<Message, readonly Subscriber[]>()
  const joined = new Set<string>()
  const scorer = scorerOf(router, clock)

  async function validate(forwarder: PeerId, message: Message): Promise<TopicValidatorResult> {
    if (message.type !== 'signed' || message.from.equals(self)) return TopicValidatorResult.Ignore
    const source = { author: message.from.toString(), forwarder: forwarder.toString() }
    const { verdict, audience } = await subscribers.judge(message.topic, message.data, source)
    if (verdict === 'accept') audiences.set(message, audience)
    else counters.broadcastsRefused += 1
    return RESULTS[verdict]
  }

  function onMessage({ detail: message }: CustomEvent<Message>): void {
    const audience = audiences.get(message)
    if (audience === undefined) return
    counters.broadcastsReceived += 1
    subscribers.deliver(message.topic, audience, message.data)
  }

  function join(topic: string): void {
    joined.add(topic)
    router.topicValidators.set(topic, (forwarder, message) => validate(forwarder, message))
    scorer.setTopic(topic)
    router.subscribe(topic)
  }

  function leave(topic: string): void {
    joined.delete(topic)
    router.unsubscribe(topic)
    router.topicValidators.delete(topic)
  }

  router.addEventListener('message', onMessage)
  return {
    followSubscribers() {
      const wanted = new Set(subscribers.topics())
      for (const topic of joined) if (!wanted.has(topic)) leave(topic)
      for (const topic of wanted) if (!joined.has(topic)) join(topic)
    },
    async publish(topic, frame) {
      try {
        const { recipients } = await router.publish(topic, frame)
        counters.broadcastsSent += 1
        log.debug('published', { topic, recipients: recipients.length })
      } catch (cause) {
        throw new PublishFailedError(`could not publish to topic ${topic}: ${errorMessage(cause)}`, { cause })
      }
    },
    scores: (peers) => scorer.scores(peers),
    close: () => router.removeEventListener('message', onMessage)
  }
}
