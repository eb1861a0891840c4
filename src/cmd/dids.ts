import { type Did, didMethod, parseDid, publicKeyOf } from '../identity/index.ts'
import { UsageError } from './errors.ts'

/**
 * A DID that somebody can really hold: a `did:key` must decode to a key, so that a slip of the keyboard is not granted or trusted
 * in silence (A §14, W14).
 *
 * @throws UsageError naming `what`.
 */
export function readDid(text: string, what: string): Did {
  const did = parseDid(text.trim())
  if (!did.ok) throw new UsageError(`${what} must be a DID such as did:key:z6Mk…: ${did.error.message}`)
  const key = didMethod(did.value) === 'key' ? publicKeyOf(did.value) : undefined
  if (key?.ok === false) throw new UsageError(`${what} ${did.value} holds no usable key: ${key.error.message}`)
  return did.value
}
