import { createRequire } from 'node:module'
import type * as Curve from '@noble/curves/secp256k1.js'
import type * as Sha3 from '@noble/hashes/sha3.js'
import { utf8 } from '../base/index.ts'
import { parseDerSignature, toCompactSignature } from './der.ts'

// Node cannot check a signature over a foreign hash, nor make Keccak; the curve costs 50 ms to load, which a command that meets
// no ledger token should not pay, and verification is synchronous: hence `require`, which the bundler knows by this very line.
const require: LoadLibrary = createRequire(import.meta.url)

interface LoadLibrary {
  (name: '@noble/curves/secp256k1.js'): typeof Curve
  (name: '@noble/hashes/sha3.js'): typeof Sha3
}

/**
 * Makes the checker of Ethereum personal-message signatures (A §5.1): strict DER over
 * keccak256(0x19 ‖ `Ethereum Signed Message:\n` ‖ decimal length ‖ message), low or high S. `point` is compressed and valid.
 */
export function ethCheck(point: Uint8Array): (message: Uint8Array, signature: Uint8Array) => boolean {
  const { secp256k1 } = require('@noble/curves/secp256k1.js')
  return (message, signature) => {
    const numbers = parseDerSignature(signature)
    if (numbers === undefined) return false
    return secp256k1.verify(toCompactSignature(numbers), personalMessageHash(message), point, { prehash: false, lowS: false })
  }
}

/** The 32 bytes that an Ethereum wallet signs for a personal message. */
export function personalMessageHash(message: Uint8Array): Uint8Array {
  const { keccak_256 } = require('@noble/hashes/sha3.js')
  return keccak_256
    .create()
    .update(utf8(`\x19Ethereum Signed Message:\n${message.length}`))
    .update(message)
    .digest()
}
