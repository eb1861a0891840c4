import { resolve } from 'node:path'
import { createSecret, type Secret } from '../base/index.ts'
import { readPrivateFile } from '../db/index.ts'
import { NoFileError, NoPassphraseError, NoTerminalError } from './errors.ts'
import type { Io, Terminal } from './io.ts'
import { note } from './output.ts'

/** How often a new passphrase may be mistyped (A §11). */
const TRIES = 3

/**
 * The passphrase of an existing key: from `DMS_PASSPHRASE`, else from the file that `DMS_PASSPHRASE_FILE` names (one line
 * break at its end is not part of it), else asked on the terminal.
 *
 * @throws NoTerminalError when there is nothing of that; nobody is ever asked without a terminal (E §1).
 * @throws NoPassphraseError for an empty answer.
 */
export async function givenPassphrase(io: Io): Promise<Secret> {
  const given = io.passphrase ?? (await passphraseFromFile(io))
  return given ?? notEmpty(await terminalOf(io).askHidden('Passphrase: '))
}

/** The passphrase for a new key: as {@link givenPassphrase}, but on a terminal it is asked for twice, three times at most. */
export async function newPassphrase(io: Io): Promise<Secret> {
  const given = io.passphrase ?? (await passphraseFromFile(io))
  if (given !== undefined) return given
  const terminal = terminalOf(io)
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const passphrase = notEmpty(await terminal.askHidden('Passphrase: '))
    if ((await terminal.askHidden('Please confirm your passphrase: ')) === passphrase.reveal()) return passphrase
    await note(io, 'passphrases do not match')
  }
  throw new NoPassphraseError('user failed to input passphrase')
}

async function passphraseFromFile({ environment, cwd }: Io): Promise<Secret | undefined> {
  const path = environment['DMS_PASSPHRASE_FILE']
  if (path === undefined || path === '') return undefined
  const text = await readPrivateFile(resolve(cwd, path))
  if (text === undefined) throw new NoFileError(`the file ${path} that DMS_PASSPHRASE_FILE names does not exist`)
  return notEmpty(text.replace(/\r?\n$/, ''))
}

function terminalOf({ terminal }: Io): Terminal {
  if (terminal === undefined) throw new NoTerminalError('DMS_PASSPHRASE is not set and there is no terminal to ask on')
  return terminal
}

function notEmpty(text: string): Secret {
  if (text === '') throw new NoPassphraseError('invalid passphrase: it must not be empty')
  return createSecret(text)
}
