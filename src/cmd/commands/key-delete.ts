import { lockAtAgent } from '../agents.ts'
import type { Action } from '../command.ts'
import { confirmByName } from '../confirm.ts'
import { contextsOf } from '../contexts.ts'
import { keystoreOf, readKey } from '../keys.ts'
import { note } from '../output.ts'
import { givenPassphrase } from '../passphrase.ts'
import { withProgress } from '../progress.ts'
import { loadSettings } from '../settings.ts'

/** `nunet key delete <name>`: for whoever has its passphrase (A §6.2). */
export const deleteKey: Action = async ({ args: [name = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const keystore = keystoreOf(config, io)
  const stored = await readKey(keystore, name)
  if (await contextsOf(config, io).exists(name)) {
    await note(io, `Warning: the capability context ${name} is of no use without this key`)
  }
  const keepBackup = flags.isOn('keep-backup')
  if (!flags.isOn('yes')) {
    await confirmByName(io, {
      complaint: `deleting the key ${name} cannot be undone`,
      warning: keepBackup
        ? `The key ${name} will be removed; a copy of its file stays beside it.`
        : `Warning: without a copy of ${stored.path} nobody can ever act as this key again.`,
      name
    })
  }
  const passphrase = await givenPassphrase(io, name)
  await withProgress(io, { text: `opening key ${name}` }, () => keystore.delete(stored, passphrase, { keepBackup }))
  await lockAtAgent(name, config, io)
  await note(io, `deleted ${stored.path}`)
  for (const copy of await keystore.backups(name))
    await note(io, `Note: ${copy} is a copy of this name's key; remove it too when nobody shall open it`)
}
