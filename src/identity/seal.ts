import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { systemRandom } from '../base/index.ts'
import { SealBrokenError } from './errors.ts'

/** First byte of a sealed record; authenticated with it. */
const VERSION = Uint8Array.of(1)
const NONCE_LENGTH = 12
const TAG_LENGTH = 16
const CIPHER = 'aes-256-gcm'

/** Encrypts and authenticates small records with a key that is derived from a private key. */
export interface Seal {
  /** version (1) ‖ nonce (12) ‖ ciphertext ‖ tag (16). */
  seal(data: Uint8Array): Uint8Array
  /** @throws SealBrokenError when the record was made by another key or was changed. */
  unseal(sealed: Uint8Array): Uint8Array
}

/**
 * Creates the seal of a private key: AES-256-GCM under HKDF-SHA-256 of the raw private bytes.
 *
 * Nonces are random and from the operating system even where tests fix all other randomness: a repeated nonce would give the key
 * away. Good for 2^32 records per key.
 */
export function createSeal(privateBytes: Uint8Array): Seal {
  const key = new Uint8Array(hkdfSync('sha256', privateBytes, '', 'nunet-dms sealed record', 32))
  return {
    seal(data) {
      const nonce = systemRandom.bytes(NONCE_LENGTH)
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(VERSION)
      return Uint8Array.from(Buffer.concat([VERSION, nonce, cipher.update(data), cipher.final(), cipher.getAuthTag()]))
    },
    unseal(sealed) {
      if (sealed.length < VERSION.length + NONCE_LENGTH + TAG_LENGTH || sealed[0] !== VERSION[0]) {
        throw new SealBrokenError(`not a sealed record of version ${VERSION[0]}: ${sealed.length} bytes`)
      }
      return open(sealed.subarray(VERSION.length), key)
    }
  }
}

function open(record: Uint8Array, key: Uint8Array): Uint8Array {
  const body = record.length - TAG_LENGTH
  const decipher = createDecipheriv(CIPHER, key, record.subarray(0, NONCE_LENGTH), { authTagLength: TAG_LENGTH })
  decipher.setAAD(VERSION).setAuthTag(record.subarray(body))
  try {
    return Uint8Array.from(Buffer.concat([decipher.update(record.subarray(NONCE_LENGTH, body)), decipher.final()]))
  } catch (error) {
    throw new SealBrokenError('the sealed record was made with another key or was changed', { cause: error })
  }
}
