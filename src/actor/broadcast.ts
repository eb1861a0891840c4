import { type Millis, toNanos } from '../base/index.ts'
import { decodeEnvelope, isBroadcast } from './envelope.ts'
import type { BroadcastSource, Verdict } from './transport.ts'
import { hasValidSignature, type SignatureVerifier } from './verify.ts'

/**
 * What the gossip layer is told of a frame, before it is passed on: rejects exactly what the reference rejects (B §3.4).
 *
 * A broadcast of another host than it names is ignored: its sender would get the answers sent to somebody else (B §11.1, 10).
 */
export function judgeBroadcast(
  frame: Uint8Array,
  topic: string,
  source: BroadcastSource | undefined,
  now: Millis,
  verifier: SignatureVerifier
): Verdict {
  const decoded = decodeEnvelope(frame)
  if (!decoded.ok || !isBroadcast(decoded.value) || decoded.value.topic !== topic) return 'reject'
  if (toNanos(now) > decoded.value.expiresAt) return 'ignore'
  if (source !== undefined && source.author !== decoded.value.from.host) return 'ignore'
  return hasValidSignature(decoded.value, verifier) ? 'accept' : 'reject'
}
