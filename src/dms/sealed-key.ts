import { DmsError, decodeBase64, encodeBase64 } from '../base/index.ts'
import { importKeyPair, type KeyPair } from '../identity/index.ts'

/** The key inside a stored record cannot be read: the record was made by another node, or is damaged. */
export class UnreadableKeyError extends DmsError {
  readonly code = 'DMS_UNREADABLE_KEY'
  readonly kind = 'internal'
}

/** The key of a child actor as it is stored: for this node alone, in base64 (C §15.4, 6). */
export function sealKey(nodeKey: KeyPair, key: KeyPair): string {
  return encodeBase64(nodeKey.seal(key.exportPrivate()))
}

/** Opens what {@link sealKey} made. Errors: `DMS_UNREADABLE_KEY`, `IDENTITY_SEAL_BROKEN`. */
export function unsealKey(nodeKey: KeyPair, sealed: string): KeyPair {
  const data = decodeBase64(sealed)
  const key = data.ok ? importKeyPair(nodeKey.unseal(data.value)) : data
  if (!key.ok) throw new UnreadableKeyError('the key of a stored actor cannot be read')
  return key.value
}
