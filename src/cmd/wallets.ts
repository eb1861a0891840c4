import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CancelledError, isJsonObject, parseJson } from '../base/index.ts'
import type { Config } from '../config/index.ts'
import { FileExistsError, readPrivateFile, writePrivateFile } from '../db/index.ts'
import { type Did, parseDid, type Signer } from '../identity/index.ts'
import { BadContextFileError } from '../ucan/index.ts'
import {
  type AliasStore,
  accountOf,
  BadWalletNameError,
  createAliasStore,
  createEternlWallet,
  createLedgerWallet,
  createWalletSigner,
  type OpenWallet,
  parseWalletName,
  readWalletDid,
  type Wallet,
  type WalletHost,
  type WalletKind,
  walletKindOf
} from '../wallet/index.ts'
import type { Io } from './io.ts'
import { note } from './output.ts'

/** The wallet that a name means, as commands use it. */
export interface NamedWallet {
  /** The name of its context file (A §9): `user` for `ledger:user`. */
  readonly contextName: string
  /** Asks the wallet for its DID. */
  readDid(): Promise<Did>
  /**
   * The signer of the existing context file; the wallet is not asked yet, for the DID is in the file.
   *
   * @throws BadContextFileError when there is no DID in it.
   */
  contextSigner(): Promise<Signer>
  /** The signer of a context that is yet to be made; the wallet is asked for its DID. */
  newContextSigner(): Promise<Signer>
}

/**
 * The wallet behind `ledger`, `ledger:<index>`, `ledger:<alias>`, `ledger:<name>`, `eternl` or `eternl:<name>`.
 *
 * A context file that the Go program wrote under its other name, `ledger:<part>.cap`, is copied to `<part>.cap` (A §14, W25).
 *
 * @throws BadWalletNameError
 */
export async function openNamedWallet(name: string, config: Config, io: Io): Promise<NamedWallet> {
  const parsed = parseWalletName(name)
  if (!parsed.ok) throw new BadWalletNameError(parsed.error.message)
  const { kind, part } = parsed.value
  const host = hostOf(io)
  const wallet = kind === 'eternl' ? createEternlWallet(host) : await ledgerOf(part, config, io, host)
  const open: OpenWallet = { kind, wallet: cancellable(wallet, io), host }
  const directory = join(config.general.user_dir, 'cap')
  await adoptOtherName({ from: join(directory, `${kind}:${part}.cap`), to: join(directory, `${part}.cap`) }, io)
  return {
    contextName: part,
    readDid: () => readWalletDid(open),
    contextSigner: async () => createWalletSigner(await didIn(join(directory, `${part}.cap`)), open),
    newContextSigner: async () => createWalletSigner(await readWalletDid(open), open)
  }
}

/** The kind of wallet whose key the context file of this name belongs to; nothing for other keys. */
export async function walletOfContext(fileName: string, config: Config): Promise<WalletKind | undefined> {
  return walletKindOf(await didIn(join(config.general.user_dir, 'cap', `${fileName}.cap`)))
}

/** The aliases of the accounts of a Ledger. */
export function aliasesOf(config: Config, { clock }: Io): AliasStore {
  return createAliasStore({ directory: config.general.user_dir, clock })
}

function hostOf(io: Io): WalletHost {
  const { environment, clock, runTool, stderr } = io
  return {
    environment,
    clock,
    temporaryDirectory: tmpdir(),
    tell: (text) => note(io, text),
    show: (text) => stderr.write(text),
    runTool
  }
}

/** A part that is neither an index nor an alias names a context of account 0, as in the seed's guide (A §9). */
async function ledgerOf(part: string, config: Config, io: Io, host: WalletHost): Promise<Wallet> {
  const aliases = await aliasesOf(config, io).list()
  const account = accountOf(part, aliases)
  if (account.ok) return createLedgerWallet({ host, account: account.value })
  if (/^\d+$/.test(part)) throw new BadWalletNameError(account.error.message)
  if (aliases.size > 0) await note(io, `${part} is no alias of a Ledger account: account 0 is used`)
  return createLedgerWallet({ host, account: 0 })
}

/** Ctrl-C and SIGTERM end the question to the wallet in order, so that nothing is left of it: no file, program or open device. */
function cancellable(wallet: Wallet, io: Io): Wallet {
  async function guarded<T>(work: (signal: AbortSignal) => Promise<T>, outer?: AbortSignal): Promise<T> {
    const stop = new AbortController()
    const forget = io.onStopSignal(() => stop.abort(new CancelledError('the question to the wallet was cancelled')))
    try {
      return await work(outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]))
    } finally {
      forget()
    }
  }
  return {
    title: wallet.title,
    publicKey: (options) => guarded((signal) => wallet.publicKey({ signal }), options?.signal),
    sign: (message, expected, options) =>
      guarded((signal) => wallet.sign(message, expected, { ...options, signal }), options?.signal)
  }
}

/** Never replaces a file: where both names exist, the first one counts. */
async function adoptOtherName({ from, to }: { readonly from: string; readonly to: string }, io: Io): Promise<void> {
  if ((await readPrivateFile(to)) !== undefined) return
  const text = await readPrivateFile(from)
  if (text === undefined) return
  try {
    await writePrivateFile(to, text, { overwrite: false })
    await note(io, `Copied ${from} to ${to}, which is used from now on`)
  } catch (error) {
    if (!(error instanceof FileExistsError)) throw error // another command was first
  }
}

async function didIn(path: string): Promise<Did> {
  const json = parseJson((await readPrivateFile(path)) ?? '')
  const did = json.ok && isJsonObject(json.value) ? json.value['did'] : undefined
  const uri = isJsonObject(did ?? null) ? (did as { readonly uri?: unknown }).uri : undefined
  const parsed = typeof uri === 'string' ? parseDid(uri) : undefined
  if (parsed?.ok !== true) throw new BadContextFileError(`${path} is no capability context: it has no DID`)
  return parsed.value
}
