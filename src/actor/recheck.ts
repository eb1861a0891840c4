import type { Millis } from '../base/index.ts'
import { didOfActorId, parseActorId } from '../identity/index.ts'
import type { CapabilityContext } from '../ucan/index.ts'
import type { VerifiedEnvelope } from './behavior.ts'

/**
 * Whether a message that was allowed would still be allowed: for what goes on after the reply, such as a stream of events.
 *
 * Expiry, revocations and removed anchors count; what cannot change, such as the signature, is not looked at again.
 */
export function isStillAllowed(envelope: VerifiedEnvelope, context: CapabilityContext, now: Millis): boolean {
  const { from, to, behavior, tokens, authorization, expiresAt } = envelope
  if (now >= expiresAt) return false
  if (authorization === undefined) return true // the actor wrote to itself
  const [sender, receiver] = [parseActorId(from.id), parseActorId(to.id)]
  if (!sender.ok || !receiver.ok) return false
  const [subject, audience] = [didOfActorId(sender.value), didOfActorId(receiver.value)]
  if (!subject.ok || !audience.ok) return false
  const terms = { subject: subject.value, audience: audience.value, capabilities: [behavior], tokens }
  return context.authorize(terms, now).ok
}
