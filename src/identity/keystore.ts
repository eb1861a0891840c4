import { join } from 'node:path'
import { type Random, type Secret, systemRandom } from '../base/index.ts'
import {
  backupFile,
  FileExistsError,
  FileRefusedError,
  listFiles,
  readPrivateFile,
  withFileLock,
  writePrivateFile
} from '../db/index.ts'
import { BadKeyFileError, BadKeyNameError, KeyExistsError, KeyNotFoundError, WrongPassphraseError } from './errors.ts'
import { decryptKeyFile, encryptKeyFile, type ScryptCost, STANDARD_COST } from './key-file.ts'
import { importKeyPair } from './key-pair.ts'
import { excerpt } from './refuse.ts'
import type { KeyPair, Keystore } from './types.ts'

const EXTENSION = '.json'

/** One path component that is not hidden, not `..`, and as safe in a shell as in a log (A, W13). */
const KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** What {@link createKeystore} needs. */
export interface KeystoreOptions {
  /** `<user_dir>/key`; made on the first save. */
  readonly directory: string
  /** The cost of new files, the reference's by default; existing files are opened with their own. */
  readonly kdf?: ScryptCost
  /** Source of salts and ivs. */
  readonly random?: Random
}

/**
 * Creates the key store of a directory: one encrypted file `<name>.json` per key, interchangeable with the reference's (A §6).
 *
 * Files have mode 0600 and are written atomically. Beside {@link Keystore}'s errors, a name that is not 1 to 64 letters, digits,
 * `.`, `_` or `-` beginning with a letter or digit is `IDENTITY_BAD_KEY_NAME` everywhere, an empty passphrase
 * `IDENTITY_EMPTY_PASSPHRASE`, and a name that is taken `IDENTITY_KEY_EXISTS`.
 */
export function createKeystore({ directory, kdf = STANDARD_COST, random = systemRandom }: KeystoreOptions): Keystore {
  function pathOf(name: string): string {
    if (!KEY_NAME.test(name)) {
      const rule = 'use 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit'
      throw new BadKeyNameError(`invalid key name ${excerpt(name)}: ${rule}`)
    }
    return join(directory, name + EXTENSION)
  }

  async function list(): Promise<readonly string[]> {
    const names = await listFiles(directory, EXTENSION)
    return names.filter((name) => KEY_NAME.test(name))
  }

  return {
    list,
    async exists(name) {
      pathOf(name)
      return (await list()).includes(name)
    },
    async save(name, key, passphrase, { overwrite = false } = {}) {
      const path = pathOf(name)
      const text = await encryptKeyFile({ id: name, privateKey: key.exportPrivate() }, passphrase, { cost: kdf, random })
      await (overwrite ? replaceFile(path, text) : addFile(path, text, name))
    },
    async open(name, passphrase) {
      const text = await readKeyFile(pathOf(name), name)
      return openKey(text, passphrase, name)
    }
  }
}

async function addFile(path: string, text: string, name: string): Promise<void> {
  try {
    await writePrivateFile(path, text, { overwrite: false })
  } catch (error) {
    if (error instanceof FileExistsError)
      throw new KeyExistsError(`a key with name ${name} already exists in ${path}`, { cause: error })
    throw error
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  await withFileLock(path, async () => {
    await backupFile(path)
    await writePrivateFile(path, text)
  })
}

async function readKeyFile(path: string, name: string): Promise<string> {
  try {
    const text = await readPrivateFile(path)
    if (text === undefined) throw new KeyNotFoundError(`key not found on this node: ${name} (${path} is missing)`)
    return text
  } catch (error) {
    if (error instanceof FileRefusedError) throw new BadKeyFileError(`failed to decode key: ${error.message}`, { cause: error })
    throw error
  }
}

/** Adds the name of the key to what is wrong with its file. */
async function openKey(text: string, passphrase: Secret, name: string): Promise<KeyPair> {
  try {
    const key = importKeyPair(await decryptKeyFile(text, passphrase))
    if (!key.ok) throw new BadKeyFileError(`failed to decode key: ${key.error.message}`)
    return key.value
  } catch (error) {
    const message = `cannot open key ${name}`
    if (error instanceof WrongPassphraseError) throw new WrongPassphraseError(`${message}: ${error.message}`, { cause: error })
    if (error instanceof BadKeyFileError) throw new BadKeyFileError(`${message}: ${error.message}`, { cause: error })
    throw error
  }
}
