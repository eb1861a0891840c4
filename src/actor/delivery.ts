import {
  type AbortOptions,
  type Clock,
  DmsError,
  fromNanos,
  type Millis,
  millis,
  type Random,
  randomInt,
  seconds,
  TimeoutError,
  withTimeout
} from '../base/index.ts'
import type { Envelope } from './envelope.ts'
import type { MessageTransport } from './transport.ts'

/**
 * Sends a sealed message, and again after growing pauses while that fails for a reason that may pass, until the message expires:
 * finding, dialling and sending share its one deadline. A peer that comes back a moment later still gets it.
 *
 * @throws the last failure when no time is left for another attempt; at once what no attempt can change, such as an inbox that
 * nobody serves.
 */
export type Deliver = (envelope: Envelope, frame: Uint8Array, options?: DeliverOptions) => Promise<void>

/** How a message is delivered. */
export interface DeliverOptions extends AbortOptions {
  /** How long it is tried, where that is less than the message lives. */
  readonly patience?: Millis
}

/** What {@link createDelivery} needs. */
export interface DeliveryOptions {
  readonly transport: MessageTransport
  readonly clock: Clock
  readonly random: Random
}

/** The first pause, and the longest; each is twice the one before, a quarter more or less. */
const FIRST_PAUSE = millis(250)
const LONGEST_PAUSE = seconds(5)

/** Creates a {@link Deliver} over a transport. Messages to this node itself are tried once. */
export function createDelivery({ transport, clock, random }: DeliveryOptions): Deliver {
  return async (envelope, frame, { signal, patience } = {}) => {
    const abort = signal === undefined ? {} : { signal }
    const { host, inbox } = envelope.to
    if (host === transport.peerId) return transport.send(host, inbox, frame, abort)
    const expiry = fromNanos(envelope.expiresAt)
    const deadline = patience === undefined ? expiry : Math.min(expiry, clock.now() + patience)
    let failure: unknown

    async function attempts(inner: AbortSignal): Promise<void> {
      for (let pause: number = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
        try {
          return await transport.send(host, inbox, frame, { signal: inner })
        } catch (error) {
          failure = error
          const wait = millis(Math.round(pause * (0.75 + randomInt(random, 500) / 1000)))
          if (inner.aborted || !mayPass(error) || clock.now() + wait >= deadline) throw error
          await clock.sleep(wait, { signal: inner })
        }
      }
    }

    const time = millis(Math.max(0, deadline - clock.now()))
    try {
      await withTimeout(clock, time, `sending ${envelope.behavior} to ${host}`, attempts, abort)
    } catch (error) {
      throw error instanceof TimeoutError && failure !== undefined ? failure : error
    }
  }
}

/** Whether another attempt may go better: the peer could not be reached, or too much was under way. */
function mayPass(error: unknown): boolean {
  return error instanceof DmsError && (error.kind === 'unavailable' || error.kind === 'timeout' || error.kind === 'exhausted')
}
