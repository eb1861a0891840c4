import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { isPrivateKeyHex, type KeyPair, type Keystore, parsePrivateKey } from '../../identity/index.ts'
import { lockAtAgent } from '../agents.ts'
import type { Action, Flags } from '../command.ts'
import { confirmReplacement } from '../confirm.ts'
import { BadFileError, NoFileError, NoTerminalError, UsageError } from '../errors.ts'
import { openSource } from '../files.ts'
import { passphraseFlagsOf } from '../flags.ts'
import type { Io } from '../io.ts'
import { keystoreOf } from '../keys.ts'
import { note, printLine } from '../output.ts'
import { givenPassphrase, newPassphrase, replacingPassphrase } from '../passphrase.ts'
import { warnIfOpen } from '../passphrase-sources.ts'
import { withProgress } from '../progress.ts'
import { loadSettings } from '../settings.ts'
import { refuseWallet } from '../wallet-names.ts'

/**
 * `nunet key import <name> [file|-]`: an unencrypted private key (A §12.1), or a whole key file, of this program or the Go one.
 *
 * Everything is read, asked and checked before the first write.
 */
export const importKey: Action = async ({ args: [name = '', source], flags }, io) => {
  refuseWallet(name, 'its key stays there; import a key under another name')
  const { config } = await loadSettings(flags, io)
  const keystore = keystoreOf(config, io)
  const overwrite = await keystore.exists(name)
  if (overwrite && !flags.isOn('force')) {
    await confirmReplacement(io, {
      complaint: `a key with name '${name}' already exists`,
      question: `A key with name '${name}' already exists. Do you want to overwrite it?`
    })
  }
  const text = await readSource(source, io)
  const target: Target = { keystore, name, overwrite }
  const key = text.trimStart().startsWith('{')
    ? await importFile(text, target, flags, io)
    : await importPlain(text, target, flags, io)
  if (overwrite) await lockAtAgent(name, config, io)
  await printLine(io, key.did)
}

interface Target {
  readonly keystore: Keystore
  readonly name: string
  readonly overwrite: boolean
}

async function importFile(text: string, target: Target, flags: Flags, io: Io): Promise<KeyPair> {
  const { keystore, name, overwrite } = target
  const passphrase = await givenPassphrase(io, name)
  const opening = { text: `opening key ${name}` }
  if (!wantsNewPassphrase(flags)) {
    return await withProgress(io, opening, () => keystore.saveFile(name, text, passphrase, { overwrite }))
  }
  const key = await withProgress(io, opening, () => keystore.openFile(name, text, passphrase))
  const replacing = await replacingPassphrase(io, passphraseFlagsOf(flags, 'new-passphrase'))
  await withProgress(io, { text: `encrypting key ${name}` }, () => keystore.save(name, key, replacing, { overwrite }))
  return key
}

async function importPlain(text: string, { keystore, name, overwrite }: Target, flags: Flags, io: Io): Promise<KeyPair> {
  const key = parsePrivateKey(text)
  if (!key.ok) throw new BadFileError(key.error.message)
  if (wantsNewPassphrase(flags)) throw new UsageError('a new passphrase is for encrypted key files: this key has none yet')
  const passphrase = await newPassphrase(io, name)
  await withProgress(io, { text: `encrypting key ${name}` }, () => keystore.save(name, key.value, passphrase, { overwrite }))
  return key.value
}

function wantsNewPassphrase(flags: Flags): boolean {
  return flags.isOn('new-passphrase') || flags.isSet('new-passphrase-fd') || flags.isSet('new-passphrase-file')
}

async function readSource(source: string | undefined, io: Io): Promise<string> {
  if (source === '-') return await readStdin(io)
  if (source !== undefined) return await readArgument(source, io)
  if (io.terminal === undefined)
    throw new NoTerminalError('name the file to import, or - for stdin: there is no terminal to ask on')
  return await io.terminal.askHidden('Private key (hexadecimal or base64): ')
}

async function readStdin(io: Io): Promise<string> {
  if (io.passphraseFlags?.descriptor === 0) throw new UsageError('the key and the passphrase cannot both come from stdin')
  return await io.readInput()
}

/** A path, or the key itself as the Go program takes it: never both, since a file of that name counts as a path. */
async function readArgument(source: string, io: Io): Promise<string> {
  const path = resolve(io.cwd, source)
  if (!existsSync(path)) {
    if (isPrivateKeyHex(source)) {
      await note(io, 'Warning: this private key is now in the history of your shell; give a file or - next time')
      return source
    }
    if (/^[0-9a-zA-Z+/=]{40,}$/.test(source))
      throw new UsageError(`what was given is neither a file nor a private key in hexadecimal (${source.length} characters)`)
    throw new NoFileError(`the file ${source} does not exist`)
  }
  const { text } = openSource(source, io.cwd)
  if (!text.trimStart().startsWith('{')) await warnIfOpen(io, path, `the private key in ${source}`)
  return text
}
