import { join } from 'node:path'
import { type Clock, isJsonObject, parseJson } from '../base/index.ts'
import { backupFile, readPrivateFile, withFileLock, writePrivateFile } from '../db/index.ts'
import { BadAliasError, BadAliasFileError, UnknownAliasError } from './errors.ts'
import { MAX_ACCOUNT, parseWalletName } from './names.ts'

/** More aliases than any device has accounts in use. */
const MAX_ALIASES = 1000

/** The names that a user gave to accounts of a Ledger: `<user_dir>/ledger_aliases.json` (A §9). */
export interface AliasStore {
  readonly path: string
  /** All of them, by name. */
  list(): Promise<ReadonlyMap<string, number>>
  /**
   * Adds an alias or gives it another account.
   *
   * @param index - As written on the command line.
   * @returns The alias and the account as they were kept.
   * @throws BadAliasError for aliases that are empty, hold a colon, are only digits, or cannot be the name of a context file.
   */
  set(alias: string, index: string): Promise<{ readonly alias: string; readonly account: number }>
  /** @throws UnknownAliasError */
  remove(alias: string): Promise<void>
}

/** Creates the store; nothing is read or written before a call. Each change is one write, under a lock, after a backup. */
export function createAliasStore({ directory, clock }: { readonly directory: string; readonly clock: Clock }): AliasStore {
  const path = join(directory, 'ledger_aliases.json')

  const change = (edit: (aliases: Map<string, number>) => void): Promise<void> =>
    withFileLock(path, async () => {
      const aliases = new Map(await readAliases(path))
      edit(aliases)
      if (aliases.size > MAX_ALIASES) throw new BadAliasError(`${MAX_ALIASES} aliases are kept already; remove one first`)
      await backupFile(path, { clock })
      await writePrivateFile(path, encodeAliases(aliases))
    })

  return {
    path,
    list: () => readAliases(path),
    async set(alias, index) {
      const [name, account] = [parseAlias(alias), parseIndex(index)]
      await change((aliases) => aliases.set(name, account))
      return { alias: name, account }
    },
    async remove(alias) {
      const name = alias.trim()
      const unknown = (): UnknownAliasError => new UnknownAliasError(`ledger alias not found: ${JSON.stringify(alias)}`)
      if (!(await readAliases(path)).has(name)) throw unknown()
      await change((aliases) => {
        if (!aliases.delete(name)) throw unknown()
      })
    }
  }
}

function parseAlias(text: string): string {
  const alias = text.trim()
  if (alias === '') throw new BadAliasError('the alias must not be empty')
  if (alias.includes(':')) throw new BadAliasError(`the alias ${JSON.stringify(alias)} must not hold a colon`)
  if (/^\d+$/.test(alias)) throw new BadAliasError(`the alias ${alias} must not be a number, which means an account by itself`)
  const name = parseWalletName(`ledger:${alias}`)
  if (!name.ok) throw new BadAliasError(`the alias ${JSON.stringify(alias)} cannot be used: ${name.error.message}`)
  return alias
}

function parseIndex(text: string): number {
  if (!/^\d+$/.test(text)) throw new BadAliasError(`index must be a non-negative integer, got ${JSON.stringify(text)}`)
  const account = Number(text)
  if (account > MAX_ACCOUNT)
    throw new BadAliasError(`index must be a non-negative integer of at most ${MAX_ACCOUNT}, got ${text}`)
  return account
}

async function readAliases(path: string): Promise<ReadonlyMap<string, number>> {
  const text = await readPrivateFile(path)
  if (text === undefined) return new Map()
  const json = parseJson(text)
  if (!json.ok) throw new BadAliasFileError(`${path} is damaged: ${json.error.message}`)
  if (!isJsonObject(json.value)) throw new BadAliasFileError(`${path} is damaged: expected an object of aliases and indices`)
  const entries = Object.entries(json.value).map(([alias, account]) => {
    if (typeof account !== 'number' || !Number.isInteger(account) || account < 0 || account > MAX_ACCOUNT) {
      throw new BadAliasFileError(`${path} is damaged: the index of ${JSON.stringify(alias.slice(0, 80))} is not an account`)
    }
    return [alias, account] as const
  })
  return new Map(entries)
}

/** Byte for byte as the reference writes it: names in order, two spaces, no line break at the end. */
function encodeAliases(aliases: ReadonlyMap<string, number>): string {
  const lines = [...aliases]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([alias, account]) => `  ${JSON.stringify(alias)}: ${account}`)
  return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n}`
}
