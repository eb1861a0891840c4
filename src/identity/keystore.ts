import { lstat, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DmsError, errorMessage, hasErrno, invariant, type Random, type Secret, systemRandom } from '../base/index.ts'
import {
  backupFile,
  FileExistsError,
  FileRefusedError,
  listBackups,
  listFiles,
  readPrivateFile,
  removeFile,
  withFileLock,
  writePrivateFile
} from '../db/index.ts'
import {
  BadKeyFileError,
  BadKeyNameError,
  KeyChangedError,
  KeyExistsError,
  KeyNotFoundError,
  WrongPassphraseError
} from './errors.ts'
import { decryptKeyFile, encryptKeyFile, findKeyFileFault, type ScryptCost, STANDARD_COST } from './key-file.ts'
import { importKeyPair } from './key-pair.ts'
import { excerpt } from './refuse.ts'
import type { KeyFileReport, KeyPair, Keystore, StoredKey } from './types.ts'

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

  async function read(name: string): Promise<StoredKey> {
    const path = pathOf(name)
    const text = await readKeyFile(path, name)
    return { name, path, text, open: (passphrase) => openKey(text, passphrase, name) }
  }

  function encrypt(name: string, key: KeyPair, passphrase: Secret): Promise<string> {
    return encryptKeyFile({ id: name, privateKey: key.exportPrivate() }, passphrase, { cost: kdf, random })
  }

  return {
    list,
    read,
    async exists(name) {
      pathOf(name)
      return (await list()).includes(name)
    },
    inspect: (name) => inspectFile(name, pathOf(name)),
    async save(name, key, passphrase, { overwrite = false } = {}) {
      const path = pathOf(name)
      const text = await encrypt(name, key, passphrase)
      await (overwrite ? replaceFile(path, text) : addFile(path, text, name))
    },
    async saveFile(name, text, passphrase, { overwrite = false } = {}) {
      const path = pathOf(name)
      const key = await openKey(text, passphrase, name)
      await (overwrite ? replaceFile(path, text) : addFile(path, text, name))
      return key
    },
    openFile: (name, text, passphrase) => openKey(text, passphrase, name),
    async open(name, passphrase) {
      const stored = await read(name)
      return stored.open(passphrase)
    },
    async changePassphrase(stored, old, askNew) {
      const key = await stored.open(old)
      const passphrase = await askNew()
      const text = await encrypt(stored.name, key, passphrase)
      const reopened = await openKey(text, passphrase, stored.name)
      invariant(reopened.did === key.did, 'the new key file holds the key of the old one')
      await withFileLock(stored.path, async () => {
        await requireUnchanged(stored)
        await writePrivateFile(stored.path, text)
      })
    },
    async delete(stored, passphrase, { keepBackup = false } = {}) {
      await stored.open(passphrase)
      await withFileLock(stored.path, async () => {
        await requireUnchanged(stored)
        if (keepBackup) await backupFile(stored.path)
        await removeFile(stored.path)
      })
    },
    backups: (name) => listBackups(pathOf(name))
  }
}

/** Reads it again: what was opened must be what is replaced or removed. */
async function requireUnchanged({ name, path, text }: StoredKey): Promise<void> {
  if ((await readPrivateFile(path)) === text) return
  throw new KeyChangedError(`the file ${path} of the key ${name} was changed by another program meanwhile; nothing was done`)
}

async function inspectFile(name: string, path: string): Promise<KeyFileReport> {
  try {
    const isLink = (await lstat(path)).isSymbolicLink()
    const { mode, uid } = await stat(path)
    const problems = [
      ...modeProblems(mode, uid),
      ...(isLink ? ['is a symbolic link'] : []),
      ...(await contentProblems(path, name))
    ]
    return { name, path, mode: mode & 0o7777, problems }
  } catch (error) {
    const problem = hasErrno(error, 'ENOENT') ? 'is missing' : `cannot be looked at: ${errorMessage(error)}`
    return { name, path, problems: [problem] }
  }
}

function modeProblems(mode: number, owner: number): readonly string[] {
  const others = mode & 0o077
  const user = process.geteuid?.()
  return [
    ...((others & 0o022) === 0 ? [] : ['can be changed by others: chmod 600']),
    ...((others & 0o044) === 0 ? [] : ['can be read by others: chmod 600']),
    ...(user === undefined || owner === user ? [] : [`belongs to user ${owner}`])
  ]
}

async function contentProblems(path: string, name: string): Promise<readonly string[]> {
  try {
    const fault = findKeyFileFault(await readKeyFile(path, name))
    return fault === undefined ? [] : [`is no key file: ${fault}`]
  } catch (error) {
    if (error instanceof DmsError) return [error.message]
    throw error
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
