import { type Connection, type IdentifyResult, type PeerId, UnsupportedProtocolError } from '@libp2p/interface'
import { CancelledError, type Clock, DmsError, errorMessage, minutes, withTimeout } from '../base/index.ts'
import type { Counters } from './counters.ts'
import { UnreachableError } from './errors.ts'
import { createKeptChannel, type KeptChannel, NotSpokenError, type OpenedStream } from './kept-channel.ts'
import { KEPT_PROTOCOL } from './kept-frames.ts'
import type { Node } from './libp2p-node.ts'
import type { NetworkLimits } from './limits.ts'
import { hasRoom, type Reach } from './reach.ts'
import type { Transmitter } from './transmit.ts'

/** What sending over kept streams needs. */
export interface KeptTransmitterOptions {
  readonly node: Node
  readonly reach: Reach
  /** For peers that do not speak the protocol of kept streams. */
  readonly plain: Transmitter
  readonly counters: Counters
  readonly limits: NetworkLimits
  readonly clock: Clock
}

/** The outgoing half of both message protocols. */
export interface KeptTransmitter {
  /**
   * Delivers one frame over a kept stream, or over one of its own where the peer does not keep streams.
   *
   * Throws what {@link Transmitter.transmit} throws, and `BASE_TIMEOUT` after `sendTimeout`.
   */
  transmit(peer: PeerId, inbox: string, frame: Uint8Array, signal: AbortSignal | undefined): Promise<void>
  /** Whether a peer is known to speak the protocol of kept streams. */
  speaksKept(peer: string): boolean
  /** Ends everything; to be called before the node stops. */
  close(): void
}

/** The largest frame on a kept stream through a relay: a circuit carries little, and larger ones get one that still can. */
const LARGEST_ON_RELAY = 64 * 1024

/** How long a peer that said it speaks the protocol, and did not, gets a stream per message. */
const DOUBT = minutes(1)

/** Creates a transmitter that keeps one stream to each peer that lists the protocol, and opens one per message to others. */
export function createKeptTransmitter(options: KeptTransmitterOptions): KeptTransmitter {
  const { node, reach, plain, counters, limits, clock } = options
  const channels = new Map<string, KeptChannel>()
  const speakers = new Map<string, boolean>()
  const doubts = new Map<string, number>()
  const ended = new AbortController()

  const identified = ({ detail: { peerId, protocols } }: CustomEvent<IdentifyResult>): void => {
    speakers.set(peerId.toString(), protocols.includes(KEPT_PROTOCOL))
  }
  const disconnected = ({ detail }: CustomEvent<PeerId>): void => {
    speakers.delete(detail.toString())
    doubts.delete(detail.toString())
  }
  node.addEventListener('peer:identify', identified, { signal: ended.signal })
  node.addEventListener('peer:disconnect', disconnected, { signal: ended.signal })

  async function speaks(peer: PeerId): Promise<boolean> {
    const name = peer.toString()
    if ((doubts.get(name) ?? 0) > clock.now()) return false
    const known = speakers.get(name)
    if (known !== undefined) return known
    // It was identified while the node started, or on an earlier connection.
    if (!(await node.peerStore.has(peer))) return false
    return (await node.peerStore.get(peer)).protocols.includes(KEPT_PROTOCOL)
  }

  async function openOn(connection: Connection, signal: AbortSignal): Promise<OpenedStream> {
    const stream = await connection.newStream(KEPT_PROTOCOL, { signal, runOnLimitedConnection: true, negotiateFully: true })
    return { stream, connection }
  }

  /** A connection may have died unnoticed: one more try on a fresh one. */
  async function open(peer: PeerId, signal: AbortSignal): Promise<OpenedStream> {
    const connection = await reach.connection(peer, signal, LARGEST_ON_RELAY)
    try {
      return await openOn(connection, signal)
    } catch (error) {
      if (error instanceof UnsupportedProtocolError) throw new NotSpokenError(error.message)
      if (signal.aborted || connection.status === 'open') throw error
      return openOn(await reach.connection(peer, signal, LARGEST_ON_RELAY), signal)
    }
  }

  function channelTo(peer: PeerId): KeptChannel {
    const name = peer.toString()
    const existing = channels.get(name)
    if (existing !== undefined) return existing
    const created = createKeptChannel({
      peer: name,
      open: (signal) => open(peer, signal),
      isOutdone: (connection) =>
        connection.limits !== undefined && (hasDirect(node, peer) || !hasRoom(connection, LARGEST_ON_RELAY)),
      limits,
      clock,
      onStreams: (change) => {
        counters.keptStreams += change
      },
      onRetry: (messages) => {
        counters.framesRetried += messages
      },
      onEmpty: () => {
        if (channels.get(name) === created) channels.delete(name)
      }
    })
    channels.set(name, created)
    return created
  }

  /** What is too long for a relayed connection breaks it, and should break nothing else. */
  function fitsWay(peer: PeerId, frame: Uint8Array): boolean {
    return frame.length <= LARGEST_ON_RELAY || hasDirect(node, peer)
  }

  /** The way of the first message to a peer, and of all messages to those that do not keep streams. */
  async function transmitSlowly(peer: PeerId, inbox: string, frame: Uint8Array, signal: AbortSignal): Promise<void> {
    try {
      await reach.connection(peer, signal)
      if (!fitsWay(peer, frame) || !(await speaks(peer))) return await plain.transmit(peer, inbox, frame, signal)
      return await channelTo(peer).send(inbox, frame, signal)
    } catch (error) {
      if (!(error instanceof NotSpokenError)) throw translate(error, peer, inbox, signal)
      doubts.set(peer.toString(), clock.now() + DOUBT)
      return plain.transmit(peer, inbox, frame, signal)
    }
  }

  return {
    async transmit(peer, inbox, frame, signal) {
      const channel = channels.get(peer.toString())
      try {
        if (channel !== undefined && fitsWay(peer, frame)) return await channel.send(inbox, frame, signal)
      } catch (error) {
        if (!(error instanceof NotSpokenError)) throw translate(error, peer, inbox, signal)
        doubts.set(peer.toString(), clock.now() + DOUBT)
      }
      const what = `sending to inbox ${inbox} of ${peer}`
      const work = (inner: AbortSignal): Promise<void> => transmitSlowly(peer, inbox, frame, inner)
      return withTimeout(clock, limits.sendTimeout, what, work, signal === undefined ? {} : { signal })
    },
    speaksKept: (peer) => speakers.get(peer) === true && (doubts.get(peer) ?? 0) <= clock.now(),
    close() {
      ended.abort()
      for (const channel of channels.values()) channel.close()
      channels.clear()
    }
  }
}

function hasDirect(node: Node, peer: PeerId): boolean {
  return node.getConnections(peer).some(({ status, limits }) => status === 'open' && limits === undefined)
}

function translate(error: unknown, peer: PeerId, inbox: string, signal: AbortSignal | undefined): unknown {
  if (error instanceof DmsError) return error
  if (signal?.aborted === true) return new CancelledError(`sending to inbox ${inbox} of ${peer} was cancelled`)
  return new UnreachableError(`the stream to inbox ${inbox} of ${peer} broke: ${errorMessage(error)}`, { cause: error })
}
