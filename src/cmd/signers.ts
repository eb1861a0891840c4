import type { Config } from '../config/index.ts'
import type { Did, Signer } from '../identity/index.ts'
import { agentOf } from './agents.ts'
import { UsageError } from './errors.ts'
import type { Io } from './io.ts'
import { isWalletName } from './wallet-names.ts'

/** Where a context is kept, and what signs in its name. */
export interface ContextSource {
  /** The name of its file. */
  readonly fileName: string
  /** Opens the signer of the file, which must exist. */
  openSigner(): Promise<Signer>
}

/**
 * The context that a name means: the file and the key of that name, or those of a wallet, which is asked for nothing but signatures.
 *
 * @throws BadWalletNameError
 */
export async function contextSourceOf(name: string, config: Config, io: Io): Promise<ContextSource> {
  if (!isWalletName(name)) return { fileName: name, openSigner: () => openKeySigner(name, config, io) }
  const { openNamedWallet } = await import('./wallets.ts')
  const { contextName, contextSigner } = await openNamedWallet(name, config, io)
  return { fileName: contextName, openSigner: contextSigner }
}

/** Whoever leaves out `ledger:` is told, and not to make a key of that name. */
async function openKeySigner(name: string, config: Config, io: Io): Promise<Signer> {
  try {
    return await openSigner(name, config, io)
  } catch (error) {
    const { KeyNotFoundError } = await import('../identity/index.ts')
    if (!(error instanceof KeyNotFoundError)) throw error
    const { walletOfContext } = await import('./wallets.ts')
    const kind = await walletOfContext(name, config)
    if (kind === undefined) throw error
    throw new UsageError(`the capability context ${name} belongs to a wallet: use --context ${kind}:${name}`, { cause: error })
  }
}

/** The DID of a key, or of a wallet, which is asked for it. */
export async function didOfName(name: string, config: Config, io: Io): Promise<Did> {
  if (!isWalletName(name)) return (await openSigner(name, config, io)).did
  const { openNamedWallet } = await import('./wallets.ts')
  return await (await openNamedWallet(name, config, io)).readDid()
}

/**
 * What signs in the name of a key of this machine: that key, in the unlock agent or opened with its passphrase.
 *
 * Commands ask here and not at the key store, so that they need not know where a key lives.
 *
 * @throws KeyNotFoundError, and what `unlockKey` throws.
 */
export async function openSigner(name: string, config: Config, io: Io): Promise<Signer> {
  const agent = await agentOf(config, io)
  const unlocked = await agent?.find(name)
  if (unlocked !== undefined) return unlocked
  const { keystoreOf, unlockKey } = await import('./keys.ts')
  return await unlockKey(keystoreOf(config, io), name, io)
}
