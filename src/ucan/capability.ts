import { err, type Issue, ok, type Result } from '../base/index.ts'
import type { Capability } from './types.ts'

/** Longer capabilities are refused; the longest of the reference has about 120 characters. */
export const MAX_CAPABILITY_LENGTH = 256

const CONTROL_CHARACTER_OR_LONE_SURROGATE = /[\p{Cc}\p{Cs}]/u

/**
 * Reads a capability path that somebody wants to grant (A §7.4).
 *
 * Stricter than the reference, which checks nothing (W21): starts with `/`, at most {@link MAX_CAPABILITY_LENGTH}
 * characters, no control characters, no empty, `.` or `..` segment, no trailing slash unless it is `/` itself.
 */
export function parseCapability(text: string): Result<Capability, Issue> {
  const complaint = complaintAbout(text)
  if (complaint !== undefined) {
    return err({ path: '', message: `invalid capability ${JSON.stringify(text.slice(0, MAX_CAPABILITY_LENGTH))}: ${complaint}` })
  }
  return ok(text as Capability)
}

function complaintAbout(text: string): string | undefined {
  if (text.length > MAX_CAPABILITY_LENGTH) return `longer than ${MAX_CAPABILITY_LENGTH} characters`
  if (!isWireCapability(text)) return 'must start with / and have no control characters'
  if (text === '/') return undefined
  if (text.endsWith('/')) return 'must not end in a slash'
  const segments = text.slice(1).split('/')
  if (segments.includes('')) return 'must not have empty segments'
  if (segments.includes('.') || segments.includes('..')) return 'must not have . or .. segments'
  return undefined
}

/** Whether a text of somebody else's token may stand as a capability there: no empty or relative path (A §13). */
export function isWireCapability(text: string): boolean {
  return text.startsWith('/') && isWireText(text)
}

/** Whether a text has neither control characters nor lone surrogates, which Go would re-encode differently (A §7.2). */
export function isWireText(text: string): boolean {
  return !CONTROL_CHARACTER_OR_LONE_SURROGATE.test(text)
}

/**
 * Whether who has `granted` also has `wanted` (A §7.4); the same rule compares topics.
 *
 * Pure comparison of texts: case-sensitive, without any normalization.
 */
export function implies(granted: string, wanted: string): boolean {
  return granted === wanted || granted === '/' || wanted.startsWith(`${granted}/`)
}

/** Whether some of `granted` implies `wanted`. */
export function someImplies(granted: readonly string[] | null, wanted: string): boolean {
  return granted?.some((candidate) => implies(candidate, wanted)) ?? false
}

/** Whether each of `wanted` is implied by some of `granted`. */
export function implyAll(granted: readonly string[] | null, wanted: readonly string[] | null): boolean {
  return wanted?.every((text) => someImplies(granted, text)) ?? true
}

/** Whether some of `granted` lies below `wanted`: it allows a part of it. */
export function isImpliedBy(granted: readonly string[] | null, wanted: string): boolean {
  return granted?.some((candidate) => implies(wanted, candidate)) ?? false
}
