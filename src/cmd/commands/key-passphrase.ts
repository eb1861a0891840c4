import { lockAtAgent } from '../agents.ts'
import type { Action } from '../command.ts'
import { passphraseFlagsOf } from '../flags.ts'
import { keystoreOf, readKey } from '../keys.ts'
import { note } from '../output.ts'
import { givenPassphrase, replacingPassphrase } from '../passphrase.ts'
import { withProgress } from '../progress.ts'
import { loadSettings } from '../settings.ts'

/**
 * `nunet key passphrase <name>`: the key stays, its file is encrypted anew.
 *
 * The old file is not kept: its passphrase may be the reason for the change. Copies that were there before stay, and are named.
 */
export const changePassphrase: Action = async ({ args: [name = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const replacing = passphraseFlagsOf(flags, 'new-passphrase')
  const keystore = keystoreOf(config, io)
  const stored = await readKey(keystore, name)
  const old = await givenPassphrase(io, name)
  await withProgress(io, { text: `changing the passphrase of key ${name}` }, (pause) =>
    keystore.changePassphrase(stored, old, () => pause(() => replacingPassphrase(io, replacing)))
  )
  await lockAtAgent(name, config, io)
  await note(io, `the key ${name} has its new passphrase`)
  for (const copy of await keystore.backups(name))
    await note(io, `Note: ${copy} is an older copy, with the passphrase of its time`)
}
