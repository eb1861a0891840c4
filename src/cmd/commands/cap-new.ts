import type { Config } from '../../config/index.ts'
import type { Signer } from '../../identity/index.ts'
import type { Action } from '../command.ts'
import { confirmReplacement } from '../confirm.ts'
import { contextsOf, tellDms } from '../contexts.ts'
import type { Io } from '../io.ts'
import { createKey, keystoreOf } from '../keys.ts'
import { note, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { openSigner } from '../signers.ts'
import { isWalletName } from '../wallet-names.ts'

/**
 * `nunet cap new <name>`: an empty context for the key of that name, which is created when there is none, or for a wallet, which is
 * asked for its key (A §12.2).
 */
export const newContext: Action = async ({ args: [name = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const contexts = contextsOf(config, io)
  const { fileName, openKey } = await ownerOf(name, config, io)
  const exists = await contexts.exists(fileName)
  if (exists && !flags.isOn('force')) {
    await confirmReplacement(io, {
      complaint: `a capability context with name '${fileName}' already exists`,
      question: `WARNING: A capability context with name '${fileName}' already exists. Creating a new one will overwrite it. Do you want to proceed?`
    })
  }
  const signer = await openKey()
  const file = await contexts.create(fileName, signer, { overwrite: exists })
  await note(io, `Created the capability context ${file.path}`)
  if (exists) await tellDms(file.context, flags, io)
  await printLine(io, signer.did)
}

/** Whose context it will be. */
interface Owner {
  readonly fileName: string
  openKey(): Promise<Signer>
}

async function ownerOf(name: string, config: Config, io: Io): Promise<Owner> {
  if (!isWalletName(name)) return { fileName: name, openKey: () => openOrCreateKey(name, config, io) }
  const { openNamedWallet } = await import('../wallets.ts')
  const { contextName, newContextSigner } = await openNamedWallet(name, config, io)
  return { fileName: contextName, openKey: newContextSigner }
}

async function openOrCreateKey(name: string, config: Config, io: Io): Promise<Signer> {
  const keystore = keystoreOf(config, io)
  if (await keystore.exists(name)) return await openSigner(name, config, io)
  await note(io, `A new identity will be created for '${name}' context...`)
  return await createKey(keystore, name, io, { overwrite: false })
}
