import { type Connection, type PeerId, type Stream, UnsupportedProtocolError } from '@libp2p/interface'
import { CancelledError, type Clock, errorMessage, millis, seconds } from '../base/index.ts'
import { NoSuchInboxError, UnreachableError } from './errors.ts'
import { inboxProtocol, type NetworkLimits } from './limits.ts'
import type { Reach } from './reach.ts'
import { createSlots } from './slots.ts'
import { streamEnd, writeFrame } from './streams.ts'

/** What writing frames to streams needs. */
export interface TransmitOptions {
  readonly limits: NetworkLimits
  readonly clock: Clock
}

/** How long a receiver that does not close its side keeps the place of the next stream. */
const SLOT_LINGER = seconds(1)

/** The outgoing half of the message protocol (B §5.3). */
export interface Transmitter {
  /** Writes one frame on a new stream and half-closes it. Throws `NETWORK_UNREACHABLE`, `NETWORK_NO_SUCH_INBOX`, `BASE_CANCELLED`. */
  transmit(peer: PeerId, inbox: string, frame: Uint8Array, signal: AbortSignal): Promise<void>
}

/** Creates the {@link Transmitter} of a running node. */
export function createTransmitter(reach: Reach, { limits, clock }: TransmitOptions): Transmitter {
  const slots = createSlots(limits.sendsPerPeer)

  function openOn(connection: Connection, protocol: string, signal: AbortSignal): Promise<Stream> {
    return connection.newStream(protocol, {
      signal,
      runOnLimitedConnection: true,
      maxOutboundStreams: limits.sends,
      negotiateFully: true
    })
  }

  /** A connection may have died unnoticed; a frame that has not begun to leave is tried once more on a fresh one. */
  async function open(peer: PeerId, protocol: string, room: number, signal: AbortSignal): Promise<Stream> {
    const connection = await reach.connection(peer, signal, room)
    try {
      return await openOn(connection, protocol, signal)
    } catch (error) {
      if (signal.aborted || connection.status === 'open') throw error
      return openOn(await reach.connection(peer, signal, room), protocol, signal)
    }
  }

  async function write(peer: PeerId, inbox: string, frame: Uint8Array, signal: AbortSignal): Promise<Stream> {
    const stream = await open(peer, inboxProtocol(inbox), frame.length, signal)
    await writeFrame(stream, frame, signal)
    return stream
  }

  /**
   * Relays cut connections when their time or bytes are used up, maybe within a frame: the frame then goes over a fresh one. Should
   * the first have arrived after all, its receiver has seen the second before.
   */
  async function writeThroughRelays(peer: PeerId, inbox: string, frame: Uint8Array, signal: AbortSignal): Promise<Stream> {
    const connection = await reach.connection(peer, signal, frame.length)
    try {
      return await write(peer, inbox, frame, signal)
    } catch (error) {
      if (signal.aborted || connection.limits === undefined || connection.status === 'open') throw error
      return write(peer, inbox, frame, signal)
    }
  }

  /**
   * Gives the place back once the receiver has closed its side, and resets a stream that it leaves open for good. Never rejects;
   * the stop of the node ends it, because that closes all streams.
   */
  async function retire(stream: Stream, release: () => void): Promise<void> {
    const end = streamEnd(stream)
    const ended = (): undefined => undefined // the stream closed: no need to wait longer
    await clock.sleep(SLOT_LINGER, { signal: end }).catch(ended)
    release()
    await clock.sleep(millis(2 * limits.readDeadline), { signal: end }).catch(ended)
    if (!end.aborted) stream.abort(new Error('the receiver never closed the stream'))
  }

  return {
    async transmit(peer, inbox, frame, signal) {
      const release = await slots.acquire(peer.toString(), signal)
      try {
        const stream = await writeThroughRelays(peer, inbox, frame, signal)
        void retire(stream, release)
      } catch (error) {
        release()
        throw translate(error, peer, inbox, signal)
      }
    }
  }
}

function translate(error: unknown, peer: PeerId, inbox: string, signal: AbortSignal): unknown {
  if (error instanceof UnreachableError) return error
  if (signal.aborted) return new CancelledError(`sending to inbox ${inbox} of ${peer} was cancelled`)
  if (error instanceof UnsupportedProtocolError) {
    return new NoSuchInboxError(`nobody listens on inbox ${inbox} of ${peer}`, { cause: error })
  }
  return new UnreachableError(`the stream to inbox ${inbox} of ${peer} broke: ${errorMessage(error)}`, { cause: error })
}
