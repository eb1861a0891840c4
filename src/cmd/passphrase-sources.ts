import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createSecret, type Secret } from '../base/index.ts'
import { readPrivateFile } from '../db/index.ts'
import { NoFileError, NoPassphraseError, UsageError } from './errors.ts'
import type { Io, PassphraseFlags } from './io.ts'
import { note } from './output.ts'

/**
 * The passphrase of a key from where a program, not a person, puts it. The first source that is there counts, and must be usable:
 *
 * 1. `--passphrase-fd`, `--passphrase-file`
 * 2. `DMS_PASSPHRASE`, `DMS_PASSPHRASE_FD`, `DMS_PASSPHRASE_FILE`
 * 3. the systemd credential `dms-passphrase-<key>`, else `dms-passphrase`, in `$CREDENTIALS_DIRECTORY`
 *
 * One line break at the end of a file or descriptor is not part of it.
 *
 * @param key - The name of the key.
 * @throws NoFileError, FileRefusedError, FileForbiddenError, BadFileError, NoPassphraseError for a source that is there and unusable.
 */
export async function findPassphrase(io: Io, key: string): Promise<Secret | undefined> {
  return (
    (await fromFlags(io, io.passphraseFlags ?? {})) ??
    io.passphrase ??
    (await fromVariables(io)) ??
    (await fromCredential(io, key))
  )
}

/** The same for the passphrase that takes the place of another: from its flags, else from `DMS_NEW_PASSPHRASE`. */
export async function findNewPassphrase(io: Io, flags: PassphraseFlags): Promise<Secret | undefined> {
  return (await fromFlags(io, flags)) ?? io.newPassphrase
}

async function fromFlags(io: Io, { descriptor, file }: PassphraseFlags): Promise<Secret | undefined> {
  if (descriptor !== undefined) return await fromDescriptor(io, descriptor)
  return file === undefined ? undefined : await fromFile(io, resolve(io.cwd, file), `the passphrase file ${file}`)
}

async function fromVariables(io: Io): Promise<Secret | undefined> {
  const descriptor = io.environment['DMS_PASSPHRASE_FD'] ?? ''
  const path = io.environment['DMS_PASSPHRASE_FILE'] ?? ''
  if (descriptor !== '') {
    if (!/^\d{1,9}$/.test(descriptor)) throw new UsageError('DMS_PASSPHRASE_FD must be the number of a file descriptor')
    return await fromDescriptor(io, Number(descriptor))
  }
  return path === '' ? undefined : await fromFile(io, resolve(io.cwd, path), `the file ${path} that DMS_PASSPHRASE_FILE names`)
}

/** systemd has checked who may read its credentials: their modes are its matter. */
async function fromCredential({ environment, cwd }: Io, key: string): Promise<Secret | undefined> {
  const directory = environment['CREDENTIALS_DIRECTORY'] ?? ''
  if (directory === '') return undefined
  for (const name of [`dms-passphrase-${key}`, 'dms-passphrase']) {
    const text = await readPrivateFile(join(resolve(cwd, directory), name))
    if (text !== undefined) return toPassphrase(text, `the credential ${name}`)
  }
  return undefined
}

async function fromDescriptor(io: Io, descriptor: number): Promise<Secret> {
  // what Node has opened already cannot be opened a second time
  const text = descriptor === 0 ? await io.readInput() : await (await import('./descriptor.ts')).readDescriptor(descriptor)
  return toPassphrase(text, `file descriptor ${descriptor}`)
}

async function fromFile(io: Io, path: string, what: string): Promise<Secret> {
  const text = await readPrivateFile(path)
  if (text === undefined) throw new NoFileError(`${what} does not exist`)
  await warnIfOpen(io, path, what)
  return toPassphrase(text, what)
}

/** Warns when others than its owner and group can read a file that holds a secret, or when they can change it. */
export async function warnIfOpen(io: Io, path: string, what: string): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & 0o026) === 0) return
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  await note(io, `Warning: ${what} is open to other users (mode ${octal}); close it with: chmod 600 ${path}`)
}

function toPassphrase(text: string, what: string): Secret {
  const passphrase = text.replace(/\r?\n$/, '')
  if (passphrase === '') throw new NoPassphraseError(`invalid passphrase: ${what} is empty`)
  return createSecret(passphrase)
}
