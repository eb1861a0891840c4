import { type Issue, ok, type Result } from '../base/index.ts'
import { excerpt, refuse } from './refuse.ts'
import type { Did } from './types.ts'

/** Longest DID that is looked at; a `did:key` has at most 58 characters, a short-form `did:prism` 74. */
const MAX_DID_LENGTH = 512

/** `did`, a method and one identifier, in the characters that the DID standard allows (DID Core §3.1). */
const DID = /^did:[a-z0-9]+:(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+$/

/**
 * Reads the text form of a DID: exactly three parts that are not empty (A §3.1).
 *
 * Stricter than the reference (A, W20): the empty text, a first part other than `did`, characters outside of the DID
 * syntax and more than 512 characters are refused. Whether a `did:key` holds a key is for {@link publicKeyOf} to say.
 */
export function parseDid(text: string): Result<Did, Issue> {
  if (text.length > MAX_DID_LENGTH) return refuse(`invalid DID: ${text.length} characters, at most ${MAX_DID_LENGTH} are allowed`)
  if (!DID.test(text)) return refuse(`invalid DID: ${excerpt(text)} is not of the form did:<method>:<identifier>`)
  return ok(text as Did)
}

/** The method of a DID: `key` for `did:key:z6Mk…`. */
export function didMethod(did: Did): string {
  return did.slice('did:'.length, did.indexOf(':', 'did:'.length))
}
