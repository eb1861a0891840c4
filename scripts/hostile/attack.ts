import type { Stream } from '@libp2p/interface'
import type { Handle } from '../../src/actor/index.ts'
import type { Speaker } from './envelopes.ts'
import type { HostilePeer } from './peer.ts'
import type { Target } from './target.ts'

/** What attacks are made with. */
export interface Battlefield {
  readonly target: Target
  readonly handle: Handle
  /** A member of the network, who may call public behaviours. */
  readonly member: Speaker
  /** One peer, shared by the attacks of one peer. */
  readonly one: HostilePeer
  /** The connection key of this peer is the member's. */
  readonly memberPeer: HostilePeer
  /** A hundred peers. */
  readonly hundred: readonly HostilePeer[]
  readonly signal: AbortSignal
  /** Counts what was sent, for the figures. */
  count(by?: number): void
}

/** One way of being hostile; `run` goes on until the signal, and need not catch what the node throws at it. */
export interface Attack {
  readonly name: string
  run(field: Battlefield): Promise<void>
}

/** The protocol of the root actor (B §5.3). */
export const ROOT = 'actor/root/messages/0.0.1'

/** Repeats a step until the signal; what the node does about it (resets, refused connections) only slows it down. */
export async function again(signal: AbortSignal, step: (round: number) => Promise<void>, restMs = 0): Promise<void> {
  for (let round = 0; !signal.aborted; round += 1) {
    try {
      await step(round)
      if (restMs > 0) await pause(restMs, signal)
    } catch {
      await pause(20, signal)
    }
  }
}

/** Resolves after some milliseconds, or at the signal. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}

/** The frame of B §5.3: a length of eight bytes, least first, and the body. */
export function framed(body: Uint8Array, length = BigInt(body.length)): Buffer {
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length)
  return Buffer.concat([prefix, body])
}

/** Sends one frame on a stream of its own, as the protocol wants. */
export async function sendFrame(peer: HostilePeer, frame: Uint8Array, signal: AbortSignal): Promise<void> {
  const stream = await peer.open(ROOT, signal)
  await write(stream, frame, signal)
  await stream
    .close({ signal: AbortSignal.any([signal, AbortSignal.timeout(5000)]) })
    .catch((error: Error) => stream.abort(error))
}

/** Writes as fast as the node reads. */
export async function write(stream: Stream, data: Uint8Array, signal: AbortSignal): Promise<void> {
  if (stream.send(data)) return
  await new Promise<void>((resolve, reject) => {
    const end = (): void => reject(new Error('the stream ended'))
    stream.addEventListener('drain', () => resolve(), { once: true })
    stream.addEventListener('close', end, { once: true })
    signal.addEventListener('abort', end, { once: true })
  })
}
