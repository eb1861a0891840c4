import { decodeBase64, decodeHex, type Issue, type Result } from '../base/index.ts'
import { importKeyPair, importRawKeyPair } from './key-pair.ts'
import { refuse } from './refuse.ts'
import type { KeyPair } from './types.ts'

/** Lengths in bytes of what `nunet key import` takes (A §12.1): a seed and seed ‖ public key of Ed25519. */
const RAW_LENGTHS: readonly number[] = [32, 64]
/** Of libp2p's protobuf form: secp256k1, Ed25519, and Ed25519 with its public key twice. */
const PROTOBUF_LENGTHS: readonly number[] = [36, 68, 100]

/** Longest text that is looked at: the longest form in hexadecimal with room for a prefix. */
const MAX_LENGTH = 256

const HEX = /^(?:0x)?((?:[0-9a-f]{2})+)$/i

/** Whether a text has exactly the form of a private key in hexadecimal; says nothing about the key in it. */
export function isPrivateKeyHex(text: string): boolean {
  const [, digits = ''] = (text.length <= MAX_LENGTH ? HEX.exec(text) : null) ?? []
  return [...RAW_LENGTHS, ...PROTOBUF_LENGTHS].includes(digits.length / 2)
}

/**
 * Reads an unencrypted private key from its text: hexadecimal (with or without 0x) or base64 of the libp2p protobuf form, of an
 * Ed25519 seed of 32 bytes, or of an Ed25519 key of 64 bytes (A §2.2, §12.1). White space around it does not count.
 *
 * No text is both: every base64 of these lengths has a character that hexadecimal lacks. Messages repeat nothing of the text.
 */
export function parsePrivateKey(text: string): Result<KeyPair, Issue> {
  const trimmed = text.trim()
  if (trimmed.length > MAX_LENGTH) return refuse(`${trimmed.length} characters are too many for a private key`)
  const hex = HEX.exec(trimmed)
  const data = hex === null ? decodeBase64(trimmed) : decodeHex((hex[1] ?? '').toLowerCase())
  if (!data.ok) return refuse('not a private key: it must be hexadecimal or base64')
  const key = readBytes(data.value)
  data.value.fill(0)
  return key
}

function readBytes(data: Uint8Array): Result<KeyPair, Issue> {
  if (RAW_LENGTHS.includes(data.length)) return importRawKeyPair(data)
  if (PROTOBUF_LENGTHS.includes(data.length)) return importKeyPair(data)
  return refuse(
    `not a private key: ${data.length} bytes; a libp2p key has ${PROTOBUF_LENGTHS.join(', ')}, an Ed25519 key ${RAW_LENGTHS.join(' or ')}`
  )
}
