import type { Action } from '../command.ts'
import { confirmReplacement } from '../confirm.ts'
import { createKey, keystoreOf, refuseWallet } from '../keys.ts'
import { printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { openSigner } from '../signers.ts'

/** `nunet key new <name>`: stdout has the DID and nothing else (A §12.1). */
export const newKey: Action = async ({ args: [name = ''], flags }, io) => {
  refuseWallet(name)
  const { config } = await loadSettings(flags, io)
  const keystore = keystoreOf(config, io)
  const exists = await keystore.exists(name)
  if (exists && !flags.isOn('force')) {
    await confirmReplacement(io, {
      complaint: `a key with name '${name}' already exists`,
      question: `A key with name '${name}' already exists. Do you want to overwrite it with a new one?`
    })
  }
  const key = await createKey(keystore, name, io, exists)
  await printLine(io, key.did)
}

/** `nunet key did <name>`. */
export const showDid: Action = async ({ args: [name = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const { did } = await openSigner(name, config, io)
  await printLine(io, did)
}

/** `nunet key list`: one name per line. */
export const listKeys: Action = async ({ flags }, io) => {
  const { config } = await loadSettings(flags, io)
  for (const name of await keystoreOf(config, io).list()) await printLine(io, name)
}
