import { join } from 'node:path'
import type { Config } from '../config/index.ts'
import {
  createKeystore,
  generateKeyPair,
  KeyNotFoundError,
  type KeyPair,
  type Keystore,
  type StoredKey
} from '../identity/index.ts'
import { UsageError } from './errors.ts'
import type { Io } from './io.ts'
import { givenPassphrase, newPassphrase } from './passphrase.ts'
import { withProgress } from './progress.ts'

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
  refuseWallet(name)
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
  const stored = await readKey(keystore, name)
  const passphrase = await givenPassphrase(io, name)
  return await withProgress(io, { text: `opening key ${name}` }, () => stored.open(passphrase))
}

/** Makes a key and stores it encrypted; see `newPassphrase` for where the passphrase comes from. */
export async function createKey(keystore: Keystore, name: string, io: Io, overwrite: boolean): Promise<KeyPair> {
  refuseWallet(name)
  const passphrase = await newPassphrase(io, name)
  const key = generateKeyPair()
  await withProgress(io, { text: `encrypting key ${name}` }, () => keystore.save(name, key, passphrase, { overwrite }))
  return key
}

/** Names that mean a hardware wallet to the reference (A §9) are not taken for keys. */
export function refuseWallet(name: string): void {
  if (name === 'ledger' || name.startsWith('ledger:')) {
    throw new UsageError(`${name} means a Ledger wallet, which this version cannot use; create a key with: nunet key new <name>`)
  }
}
