import type { Action } from '../command.ts'
import { confirmReplacement } from '../confirm.ts'
import { contextsOf, tellDms } from '../contexts.ts'
import { createKey, keystoreOf, refuseWallet, unlockKey } from '../keys.ts'
import { note, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'

/** `nunet cap new <name>`: an empty context for the key of that name, which is created when there is none (A §12.2). */
export const newContext: Action = async ({ args: [name = ''], flags }, io) => {
  refuseWallet(name)
  const { config } = await loadSettings(flags, io)
  const contexts = contextsOf(config, io)
  const exists = await contexts.exists(name)
  if (exists && !flags.isOn('force')) {
    await confirmReplacement(io, {
      complaint: `a capability context with name '${name}' already exists`,
      question: `WARNING: A capability context with name '${name}' already exists. Creating a new one will overwrite it. Do you want to proceed?`
    })
  }
  const keystore = keystoreOf(config, io)
  const hasKey = await keystore.exists(name)
  if (!hasKey) await note(io, `A new identity will be created for '${name}' context...`)
  const key = hasKey ? await unlockKey(keystore, name, io) : await createKey(keystore, name, io, false)
  const file = await contexts.create(name, key, { overwrite: exists })
  await note(io, `Created the capability context ${file.path}`)
  if (exists) await tellDms(file.context, flags, io)
  await printLine(io, key.did)
}
