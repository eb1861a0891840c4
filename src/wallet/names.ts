import { err, type Issue, ok, type Result } from '../base/index.ts'

/** The wallets that have names. */
export type WalletKind = 'ledger' | 'eternl'

/** A name such as `ledger`, `ledger:3` or `eternl:main`, taken apart. */
export interface WalletName {
  readonly kind: WalletKind
  /** After the colon; the kind itself when there is none. It is the name of the context file (A §9). */
  readonly part: string
}

/** What can be the name of a context file. */
const PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** Account indices are the last step of a path that is not hardened (BIP 32). */
export const MAX_ACCOUNT = 2 ** 31 - 1

/**
 * Reads the name of a wallet.
 *
 * Stricter than the reference (A §14, W18): a name that only begins so, such as `ledger2` or `ledgerbob`, is none, and neither is
 * one with two colons.
 */
export function parseWalletName(name: string): Result<WalletName, Issue> {
  const [kind, part, ...others] = name.split(':')
  if (kind !== 'ledger' && kind !== 'eternl') return refuse(`${JSON.stringify(name)} does not name a wallet`)
  if (part === undefined) return ok({ kind, part: kind })
  if (kind === 'ledger' && /^-\d+$/.test(part)) return refuse(`ledger index cannot be negative: ${part}`)
  if (others.length > 0 || !PART.test(part)) {
    return refuse(
      `invalid wallet name ${JSON.stringify(name.slice(0, 80))}: after "${kind}:" come 1 to 64 letters, digits, dots, dashes and underscores, starting with a letter or digit`
    )
  }
  return ok({ kind, part })
}

/**
 * The account that the part of a Ledger's name means: an index in digits, else an alias; account 0 for `ledger` and the empty text.
 *
 * @returns Also a refusal in the reference's words for what is neither.
 */
export function accountOf(part: string, aliases: ReadonlyMap<string, number>): Result<number, Issue> {
  if (part === '' || part === 'ledger') return ok(0)
  if (/^-\d+$/.test(part)) return refuse(`ledger index cannot be negative: ${part}`)
  if (!/^\d+$/.test(part)) {
    const account = aliases.get(part)
    return account === undefined ? refuse(`ledger alias not found: ${JSON.stringify(part)}`) : ok(account)
  }
  const account = Number(part)
  return account <= MAX_ACCOUNT
    ? ok(account)
    : refuse(`the ledger index ${part} is too large, at most ${MAX_ACCOUNT} is possible`)
}

function refuse(message: string): Result<never, Issue> {
  return err({ path: '', message })
}
