import { type Clock, errorMessage, type Logger } from '../base/index.ts'
import { judgeBroadcast } from './broadcast.ts'
import type { Gate } from './gate.ts'
import type { Intake } from './intake.ts'
import { attempt, BROADCASTS, countRefusal } from './reception.ts'
import type { BroadcastSource, MessageTransport, Verdict } from './transport.ts'
import type { Counters } from './types.ts'
import type { SignatureVerifier } from './verify.ts'

/** The topics that one actor hears. */
export interface Subscriptions {
  /** Hears a topic, if it does not yet. */
  listenTo(topic: string): void
  /** Ends all. */
  close(): Promise<void>
}

/** What {@link createSubscriptions} needs. */
export interface SubscriptionsOptions {
  readonly transport: MessageTransport
  readonly clock: Clock
  readonly log: Logger
  readonly counters: Counters
  readonly verifier: SignatureVerifier
  readonly gate: Gate
  readonly intake: Intake
  /** Takes what was let through. */
  readonly receive: (frame: Uint8Array) => void
}

/** Creates the subscriptions of an actor, to nothing yet. */
export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { transport, clock, log, counters, verifier, gate, intake, receive } = options
  const subscriptions = new Map<string, Promise<() => Promise<void>>>()

  /** Judged in the turn of the neighbour that passed it on; what there is no room for is ignored. */
  function judge(frame: Uint8Array, topic: string, source: BroadcastSource | undefined): Verdict | Promise<Verdict> {
    const shut = source === undefined ? undefined : gate.broadcast(source)
    if (shut !== undefined) {
      countRefusal(counters, shut)
      return 'ignore'
    }
    const outcome: { verdict?: Verdict; settle?: (verdict: Verdict) => void } = {}
    const conclude = (verdict: Verdict): void => {
      outcome.verdict = verdict
      outcome.settle?.(verdict)
    }
    intake.submit(source?.forwarder ?? BROADCASTS, {
      size: frame.length,
      work() {
        attempt(log, () => conclude(judgeBroadcast(frame, topic, source, clock.now(), verifier)))
        if (outcome.verdict === undefined) conclude('ignore')
      },
      drop() {
        countRefusal(counters, 'crowded')
        conclude('ignore')
      }
    })
    return (
      outcome.verdict ??
      new Promise((resolve) => {
        outcome.settle = resolve
      })
    )
  }

  return {
    listenTo(topic) {
      if (subscriptions.has(topic)) return
      const subscription = transport.subscribe(topic, receive, (frame, source) => judge(frame, topic, source))
      subscriptions.set(topic, subscription)
      subscription.catch((error: unknown) => {
        subscriptions.delete(topic)
        log.error('cannot subscribe', { topic, error: errorMessage(error) })
      })
    },
    async close() {
      for (const subscription of subscriptions.values()) await (await subscription)().catch(() => undefined) // already gone
      subscriptions.clear()
    }
  }
}
