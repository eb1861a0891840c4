import { type Column, printRows } from '../columns.ts'
import type { Action } from '../command.ts'
import { note, printJson, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { aliasesOf } from '../wallets.ts'

/** `nunet key ledger-alias set <alias> <index>`: the line that the reference prints (A §12.1). */
export const setAlias: Action = async ({ args: [alias = '', index = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const kept = await aliasesOf(config, io).set(alias, index)
  await printLine(io, `Alias "${kept.alias}" → account ${kept.account} saved`)
}

/** `nunet key ledger-alias list`: a table on a terminal, else alias, TAB and account, one per line; or JSON. */
export const listAliases: Action = async ({ flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const aliases = [...(await aliasesOf(config, io).list())]
  if (flags.isOn('json'))
    return await printJson(
      io,
      aliases.map(([alias, account]) => ({ alias, account }))
    )
  if (io.stdout.screen !== undefined)
    return await printRows(
      io,
      COLUMNS,
      aliases.map(([alias, account]) => [alias, String(account)])
    )
  for (const [alias, account] of aliases) await printLine(io, `${alias}\t${account}`)
}

const COLUMNS: readonly Column[] = [{ title: 'ALIAS' }, { title: 'ACCOUNT', align: 'right' }]

/** `nunet key ledger-alias remove <alias>`. */
export const removeAlias: Action = async ({ args: [alias = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  await aliasesOf(config, io).remove(alias)
  await note(io, `Removed the alias ${alias}`)
}
