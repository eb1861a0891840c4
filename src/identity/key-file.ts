import { createCipheriv, createDecipheriv, createHash, scrypt, timingSafeEqual } from 'node:crypto'
import {
  decodeHex,
  encodeHex,
  errorMessage,
  isJsonObject,
  type JsonValue,
  parseJson,
  type Random,
  type Secret,
  utf8
} from '../base/index.ts'
import { BadKeyFileError, EmptyPassphraseError, WrongPassphraseError } from './errors.ts'

/** Cost of deriving the key of a file from its passphrase. */
export interface ScryptCost {
  /** N: a power of two. */
  readonly n: number
  readonly r: number
  readonly p: number
}

/** What the reference writes (A §6.2): 256 MiB and about 0.7 s. */
export const STANDARD_COST: ScryptCost = { n: 2 ** 18, r: 8, p: 1 }

const VERSION = 3
const CIPHER = 'aes-256-ctr'
const KDF = 'scrypt'
const SALT_LENGTH = 64
const IV_LENGTH = 16
const MAC_LENGTH = 32
const CIPHER_KEY_LENGTH = 32
/** Cipher key and MAC key. */
const DERIVED_LENGTH = 64

/** Bounds of the parameters that a file may ask for: the reference has none, so a file can exhaust its memory (A, W16). */
const MAX_N = 2 ** 20
const MAX_R = 16
const MAX_P = 8
const MAX_DERIVED_LENGTH = 128
const MAX_MEMORY = 2 ** 30

/** What a key file is about. */
export interface KeyFileContent {
  /** The name of the key; the reference writes it and never reads it. */
  readonly id: string
  /** The libp2p protobuf form of the private key. */
  readonly privateKey: Uint8Array
}

/**
 * Encrypts a private key as a key file of version 3, byte for byte as the reference lays it out (A §6.2): member order, two
 * spaces, no newline at the end.
 *
 * @throws EmptyPassphraseError for an empty passphrase.
 */
export async function encryptKeyFile(
  { id, privateKey }: KeyFileContent,
  passphrase: Secret,
  { cost, random }: { readonly cost: ScryptCost; readonly random: Random }
): Promise<string> {
  refuseEmpty(passphrase)
  const salt = random.bytes(SALT_LENGTH)
  const iv = random.bytes(IV_LENGTH)
  const derived = await deriveKey(passphrase, { ...cost, dklen: DERIVED_LENGTH, salt })
  const cipher = createCipheriv(CIPHER, derived.subarray(0, CIPHER_KEY_LENGTH), iv)
  const ciphertext = Buffer.concat([cipher.update(privateKey), cipher.final()])
  const mac = macOf(derived, ciphertext)
  derived.fill(0)
  const file = {
    id,
    crypto: {
      cipher: CIPHER,
      ciphertext: encodeHex(ciphertext),
      cipherparams: { iv: encodeHex(iv) },
      kdf: KDF,
      kdfparams: { n: cost.n, r: cost.r, p: cost.p, dklen: DERIVED_LENGTH, salt: encodeHex(salt) },
      mac: encodeHex(mac)
    },
    version: VERSION
  }
  return JSON.stringify(file, undefined, 2)
}

/**
 * Decrypts a key file of version 3; checks in the order of the reference and says its words (A §6.2).
 *
 * Stricter: `kdf` must be scrypt, the parameters are bounded (N ≤ 2^20, r ≤ 16, p ≤ 8, 1 GiB, 64 ≤ dklen ≤ 128), the iv has 16
 * bytes, the MAC 32.
 *
 * @returns The libp2p protobuf form of the private key.
 * @throws EmptyPassphraseError, BadKeyFileError, WrongPassphraseError.
 */
export async function decryptKeyFile(text: string, passphrase: Secret): Promise<Uint8Array> {
  refuseEmpty(passphrase)
  const { mac, iv, ciphertext, kdf } = parseKeyFile(text)
  const derived = await deriveKey(passphrase, kdf)
  const isRight = timingSafeEqual(macOf(derived, ciphertext), mac)
  if (!isRight) {
    derived.fill(0)
    throw new WrongPassphraseError('mac mismatch: the passphrase is wrong, or the key file was changed')
  }
  const decipher = createDecipheriv(CIPHER, derived.subarray(0, CIPHER_KEY_LENGTH), iv)
  const privateKey = Uint8Array.from(Buffer.concat([decipher.update(ciphertext), decipher.final()]))
  derived.fill(0)
  return privateKey
}

/**
 * What keeps any passphrase from opening this text, by the same checks as {@link decryptKeyFile} and without its work.
 *
 * @returns Nothing when it is a key file.
 */
export function findKeyFileFault(text: string): string | undefined {
  try {
    parseKeyFile(text)
    return undefined
  } catch (error) {
    if (error instanceof BadKeyFileError) return error.message
    throw error
  }
}

interface KdfParameters extends ScryptCost {
  readonly dklen: number
  readonly salt: Uint8Array
}

interface KeyFile {
  readonly mac: Uint8Array
  readonly iv: Uint8Array
  readonly ciphertext: Uint8Array
  readonly kdf: KdfParameters
}

type JsonObject = { readonly [name: string]: JsonValue }

function parseKeyFile(text: string): KeyFile {
  const parsed = parseJson(text)
  if (!parsed.ok) throw new BadKeyFileError(`failed to decode key: ${parsed.error.message}`)
  if (!isJsonObject(parsed.value)) throw new BadKeyFileError('failed to decode key: not a JSON object')
  if (parsed.value['version'] !== VERSION)
    throw new BadKeyFileError(`version mismatch: the key file must have version ${VERSION}`)
  const crypto = objectAt(parsed.value, 'crypto')
  if (crypto['cipher'] !== CIPHER) throw new BadKeyFileError(`cipher mismatch: the cipher of the key file must be ${CIPHER}`)
  const kdfparams = objectAt(crypto, 'kdfparams')
  // the reference's order: it decides which error a broken file gets
  const mac = hexAt(crypto, 'mac')
  const iv = hexAt(objectAt(crypto, 'cipherparams'), 'iv')
  const salt = hexAt(kdfparams, 'salt')
  const ciphertext = hexAt(crypto, 'ciphertext')
  if (crypto['kdf'] !== KDF) throw new BadKeyFileError(`failed to process key: kdf must be ${KDF}`)
  const kdf = parseKdfParameters(kdfparams, salt)
  if (iv.length !== IV_LENGTH) throw new BadKeyFileError(`failed to process key: iv has ${iv.length} bytes, not ${IV_LENGTH}`)
  if (mac.length !== MAC_LENGTH) throw new BadKeyFileError(`mac mismatch: the mac has ${mac.length} bytes, not ${MAC_LENGTH}`)
  return { mac, iv, ciphertext, kdf }
}

/** A missing member reads as an empty object, so that the first missing value in the reference's order is reported. */
function objectAt(parent: JsonObject, name: string): JsonObject {
  const member = parent[name]
  if (member === undefined) return {}
  if (!isJsonObject(member)) throw new BadKeyFileError(`failed to decode key: ${name} is not an object`)
  return member
}

function hexAt(parent: JsonObject, name: string): Uint8Array {
  const text = parent[name] ?? ''
  const decoded = typeof text === 'string' ? decodeHex(text) : undefined
  if (decoded === undefined || !decoded.ok) throw new BadKeyFileError(`failed to decode key: ${name} is not hexadecimal`)
  return decoded.value
}

function parseKdfParameters(source: JsonObject, salt: Uint8Array): KdfParameters {
  const n = integerAt(source, 'n', { min: 2, max: MAX_N })
  const r = integerAt(source, 'r', { min: 1, max: MAX_R })
  const p = integerAt(source, 'p', { min: 1, max: MAX_P })
  const dklen = integerAt(source, 'dklen', { min: DERIVED_LENGTH, max: MAX_DERIVED_LENGTH })
  if (!Number.isInteger(Math.log2(n))) throw new BadKeyFileError(`failed to process key: n = ${n} is not a power of two`)
  if (memoryOf({ n, r, p }) > MAX_MEMORY) {
    throw new BadKeyFileError(`failed to process key: n = ${n}, r = ${r}, p = ${p} need more than ${MAX_MEMORY} bytes of memory`)
  }
  return { n, r, p, dklen, salt }
}

function integerAt(source: JsonObject, name: string, { min, max }: { readonly min: number; readonly max: number }): number {
  const value = source[name]
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new BadKeyFileError(`failed to process key: ${name} must be an integer from ${min} to ${max}`)
  }
  return value
}

/** Bytes that scrypt works in. */
function memoryOf({ n, r, p }: ScryptCost): number {
  return 128 * r * (n + p)
}

async function deriveKey(passphrase: Secret, { n, r, p, dklen, salt }: KdfParameters): Promise<Uint8Array> {
  // OpenSSL counts a few blocks more than the algorithm needs
  const maxmem = memoryOf({ n, r, p: p + 2 }) + 2 ** 20
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void =>
      reject(
        new BadKeyFileError(`failed to process key: scrypt refused n = ${n}, r = ${r}, p = ${p}: ${errorMessage(error)}`, {
          cause: error
        })
      )
    try {
      scrypt(utf8(passphrase.reveal()), salt, dklen, { N: n, r, p, maxmem }, (error, derived) =>
        error === null ? resolve(derived) : fail(error)
      )
    } catch (error) {
      fail(error)
    }
  })
}

function refuseEmpty(passphrase: Secret): void {
  if (passphrase.reveal() === '') throw new EmptyPassphraseError('passphrase is empty')
}

function macOf(derived: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return createHash('sha3-256').update(derived.subarray(CIPHER_KEY_LENGTH, DERIVED_LENGTH)).update(ciphertext).digest()
}
