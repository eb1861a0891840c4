import type { Action } from '../command.ts'
import { confirmReplacement } from '../confirm.ts'
import { UsageError } from '../errors.ts'
import { createKey, keystoreOf } from '../keys.ts'
import { printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { didOfName } from '../signers.ts'
import { refuseWallet } from '../wallet-names.ts'

/** `nunet key new <name>`: stdout has the DID and nothing else (A §12.1). */
export const newKey: Action = async ({ args: [name = ''], flags }, io) => {
  refuseWallet(name, `its key was made there; show its DID with: nunet key did ${name}`)
  const type = keyTypeOf(flags.text('type'))
  const { config } = await loadSettings(flags, io)
  const keystore = keystoreOf(config, io)
  const exists = await keystore.exists(name)
  if (exists && !flags.isOn('force')) {
    await confirmReplacement(io, {
      complaint: `a key with name '${name}' already exists`,
      question: `A key with name '${name}' already exists. Do you want to overwrite it with a new one?`
    })
  }
  const key = await createKey(keystore, name, io, { overwrite: exists, type })
  await printLine(io, key.did)
}

/** `nunet key did <name>`: a wallet is asked for it. */
export const showDid: Action = async ({ args: [name = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  await printLine(io, await didOfName(name, config, io))
}

/** `nunet key list`: one name per line. */
export const listKeys: Action = async ({ flags }, io) => {
  const { config } = await loadSettings(flags, io)
  for (const name of await keystoreOf(config, io).list()) await printLine(io, name)
}

function keyTypeOf(text: string | undefined): 'ed25519' | 'secp256k1' {
  if (text === 'ed25519' || text === 'secp256k1') return text
  throw new UsageError(`--type must be ed25519 or secp256k1, not ${text ?? ''}`)
}
