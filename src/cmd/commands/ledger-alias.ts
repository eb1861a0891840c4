import type { Action } from '../command.ts'
import { note, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { aliasesOf } from '../wallets.ts'

/** `nunet key ledger-alias set <alias> <index>`: the line that the reference prints (A §12.1). */
export const setAlias: Action = async ({ args: [alias = '', index = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const kept = await aliasesOf(config, io).set(alias, index)
  await printLine(io, `Alias "${kept.alias}" → account ${kept.account} saved`)
}

/** `nunet key ledger-alias list`: alias, TAB and account, one per line. */
export const listAliases: Action = async ({ flags }, io) => {
  const { config } = await loadSettings(flags, io)
  for (const [alias, account] of await aliasesOf(config, io).list()) await printLine(io, `${alias}\t${account}`)
}

/** `nunet key ledger-alias remove <alias>`. */
export const removeAlias: Action = async ({ args: [alias = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  await aliasesOf(config, io).remove(alias)
  await note(io, `Removed the alias ${alias}`)
}
