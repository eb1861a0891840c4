import { join } from 'node:path'
import type { Config } from '../config/index.ts'
import {
  createKeystore,
  generateKeyPair,
  generateSecp256k1KeyPair,
  KeyNotFoundError,
  type KeyPair,
  type Keystore,
  type StoredKey
} from '../identity/index.ts'
import type { Io } from './io.ts'
import { givenPassphrase, newPassphrase } from './passphrase.ts'
import { withProgress } from './progress.ts'
import { refuseWallet } from './wallet-names.ts'

/** The key store of the user directory. */
export function keystoreOf(config: Config, { random, keyCost }: Io): Keystore {
  const directory = join(config.general.user_dir, 'key')
  return createKeystore({ directory, random, ...(keyCost === undefined ? {} : { kdf: keyCost }) })
}

/**
 * Reads the file of a key.
 *
 * @throws KeyNotFoundError naming the command that makes one, and what `Keystore.read` throws.
 */
export async function readKey(keystore: Keystore, name: string): Promise<StoredKey> {
  refuseWallet(name, 'its key cannot be opened on this machine')
  if (!(await keystore.exists(name))) {
    throw new KeyNotFoundError(`there is no key with name ${name}; create it with: nunet key new ${name}`)
  }
  return await keystore.read(name)
}

/**
 * Opens a key; the passphrase is not asked for when there is no such key.
 *
 * @throws KeyNotFoundError, and what `StoredKey.open` and `givenPassphrase` throw.
 */
export async function unlockKey(keystore: Keystore, name: string, io: Io): Promise<KeyPair> {
  return await openStored(await readKey(keystore, name), name, io)
}

/** Opens a key file that was read, with the passphrase of its key. */
export async function openStored(stored: StoredKey, name: string, io: Io): Promise<KeyPair> {
  const passphrase = await givenPassphrase(io, name)
  return await withProgress(io, { text: `opening key ${name}` }, () => stored.open(passphrase))
}

/** How a key is made. */
export interface NewKeyOptions {
  /** Whether one of that name is replaced. */
  readonly overwrite: boolean
  /** Default `ed25519`. */
  readonly type?: 'ed25519' | 'secp256k1'
}

/** Makes a key and stores it encrypted; see `newPassphrase` for where the passphrase comes from. */
export async function createKey(keystore: Keystore, name: string, io: Io, options: NewKeyOptions): Promise<KeyPair> {
  refuseWallet(name, 'its key was made there; show its DID with: nunet key did <name>')
  const passphrase = await newPassphrase(io, name)
  const key = options.type === 'secp256k1' ? generateSecp256k1KeyPair(io.random) : generateKeyPair(io.random)
  const { overwrite } = options
  await withProgress(io, { text: `encrypting key ${name}` }, () => keystore.save(name, key, passphrase, { overwrite }))
  return key
}
