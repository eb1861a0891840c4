import { UsageError } from './errors.ts'

/**
 * Whether a name means a wallet: `ledger`, `eternl`, or one of them with a colon and something after it (A §9).
 *
 * Here and not in the module of wallets, which only commands with such a name load.
 */
export function isWalletName(name: string): boolean {
  return /^(?:ledger|eternl)(?:$|:)/.test(name)
}

/** Names of wallets are not taken where only a key of this machine will do. */
export function refuseWallet(name: string, reason: string): void {
  if (isWalletName(name)) throw new UsageError(`${name} means a wallet: ${reason}`)
}
