import { createSecret, type Secret } from '../base/index.ts'
import { NoPassphraseError, NoTerminalError } from './errors.ts'
import type { Io, PassphraseFlags, Terminal } from './io.ts'
import { note } from './output.ts'
import { findNewPassphrase, findPassphrase } from './passphrase-sources.ts'

/** How often a new passphrase may be mistyped (A §11). */
const TRIES = 3

const NO_SOURCE =
  'DMS_PASSPHRASE is not set and there is no terminal to ask on; --passphrase-file and --passphrase-fd are other sources'
const NO_NEW_SOURCE =
  'there is no new passphrase and no terminal to ask on: use --new-passphrase-file, --new-passphrase-fd or DMS_NEW_PASSPHRASE'

/**
 * The passphrase of an existing key: from where `findPassphrase` finds it, else asked on the terminal.
 *
 * @param key - The name of the key.
 * @throws NoTerminalError when there is nothing of that; nobody is ever asked without a terminal (E §1).
 * @throws NoPassphraseError for an empty one.
 */
export async function givenPassphrase(io: Io, key: string): Promise<Secret> {
  return (await findPassphrase(io, key)) ?? notEmpty(await terminalOf(io, NO_SOURCE).askHidden('Passphrase: '))
}

/** The passphrase for a new key: as {@link givenPassphrase}, but on a terminal it is asked for twice, three times at most. */
export async function newPassphrase(io: Io, key: string): Promise<Secret> {
  return (await findPassphrase(io, key)) ?? (await askTwice(io, terminalOf(io, NO_SOURCE), 'Passphrase: '))
}

/** The passphrase that takes the place of a key's present one: from where `findNewPassphrase` finds it, else asked for twice. */
export async function replacingPassphrase(io: Io, flags: PassphraseFlags): Promise<Secret> {
  const found = await findNewPassphrase(io, flags)
  return found ?? (await askTwice(io, terminalOf(io, NO_NEW_SOURCE), 'New passphrase: '))
}

async function askTwice(io: Io, terminal: Terminal, question: string): Promise<Secret> {
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const passphrase = notEmpty(await terminal.askHidden(question))
    if ((await terminal.askHidden('Please confirm your passphrase: ')) === passphrase.reveal()) return passphrase
    await note(io, 'passphrases do not match')
  }
  throw new NoPassphraseError('user failed to input passphrase')
}

function terminalOf({ terminal }: Io, complaint: string): Terminal {
  if (terminal === undefined) throw new NoTerminalError(complaint)
  return terminal
}

function notEmpty(text: string): Secret {
  if (text === '') throw new NoPassphraseError('invalid passphrase: it must not be empty')
  return createSecret(text)
}
