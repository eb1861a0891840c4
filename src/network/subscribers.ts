import { type Clock, errorMessage, type Logger, type Millis, withTimeout } from '../base/index.ts'
import type { BroadcastSource, TopicValidator, Verdict } from './types.ts'

/** One `subscribe` call. */
export interface Subscriber {
  readonly listener: (frame: Uint8Array) => void
  readonly validate: TopicValidator
}

/** What the validators of a topic said of a frame, and who was asked. */
export interface Judgement {
  readonly verdict: Verdict
  readonly audience: readonly Subscriber[]
}

/** Who subscribed to which topic of one host. */
export interface Subscribers {
  /** Adds one subscriber and says whether it is the first of its topic. */
  add(topic: string, subscriber: Subscriber): boolean
  /** Removes one subscriber and says whether it was the last of its topic. */
  remove(topic: string, subscriber: Subscriber): boolean
  topics(): readonly string[]
  /** Asks every subscriber of the topic; the strictest answer counts: reject, then ignore, then accept. */
  judge(topic: string, frame: Uint8Array, source: BroadcastSource): Promise<Judgement>
  /** Hands the frame to those of the audience who are still subscribed; each gets its own copy. */
  deliver(topic: string, audience: readonly Subscriber[], frame: Uint8Array): void
}

/** Creates the empty {@link Subscribers} of a host. A validator that throws or takes longer than `timeout` ignores the frame. */
export function createSubscribers(clock: Clock, log: Logger, timeout: Millis): Subscribers {
  const byTopic = new Map<string, Set<Subscriber>>()

  async function ask(topic: string, { validate }: Subscriber, frame: Uint8Array, source: BroadcastSource): Promise<Verdict> {
    try {
      return await withTimeout(clock, timeout, `the validator of topic ${topic}`, async () => validate(frame, source))
    } catch (error) {
      log.warn('a topic validator failed, so its message is ignored', { topic, error: errorMessage(error) })
      return 'ignore'
    }
  }

  return {
    add(topic, subscriber) {
      const known = byTopic.get(topic)
      if (known === undefined) byTopic.set(topic, new Set([subscriber]))
      else known.add(subscriber)
      return known === undefined
    },
    remove(topic, subscriber) {
      const known = byTopic.get(topic)
      if (known?.delete(subscriber) !== true || known.size > 0) return false
      return byTopic.delete(topic)
    },
    topics: () => [...byTopic.keys()],
    async judge(topic, frame, source) {
      const audience = [...(byTopic.get(topic) ?? [])]
      const verdicts = await Promise.all(audience.map((subscriber) => ask(topic, subscriber, frame, source)))
      return { verdict: strictest(verdicts), audience }
    },
    deliver(topic, audience, frame) {
      const subscribed = byTopic.get(topic)
      for (const subscriber of audience) {
        if (subscribed?.has(subscriber) !== true) continue
        try {
          subscriber.listener(frame.slice())
        } catch (error) {
          log.error('the listener of a topic failed', { topic, error: errorMessage(error) })
        }
      }
    }
  }
}

function strictest(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('reject')) return 'reject'
  return verdicts.length === 0 || verdicts.includes('ignore') ? 'ignore' : 'accept'
}
