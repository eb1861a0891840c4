import { type AbortOptions, bytesEqual, fromUtf8 } from '../base/index.ts'
import { type Did, didOf, publicKeyOf, type Signer, verifyWithKey } from '../identity/index.ts'
import { BadWalletAnswerError, WrongWalletError } from './errors.ts'
import type { Wallet, WalletHost } from './host.ts'
import type { WalletKind } from './names.ts'
import { wrongWallet } from './wrong-wallet.ts'

/** Characters of a message that are repeated on the terminal; the device shows all of it. */
const EXCERPT = 2000

/** The wallet behind a name. */
export interface OpenWallet {
  readonly kind: WalletKind
  readonly wallet: Wallet
  readonly host: WalletHost
}

const KEY_TYPES = { ledger: 'eth', eternl: 'cardano' } as const

/** What a person is told to look at. */
const PLACES: Readonly<Record<WalletKind, string>> = { ledger: 'on your Ledger', eternl: 'in your Eternl wallet' }

/** The kind of wallet that has the key of a DID; nothing for keys that are no wallet's. */
export function walletKindOf(did: Did): WalletKind | undefined {
  const key = publicKeyOf(did)
  if (!key.ok) return undefined
  return key.value.type === 'eth' ? 'ledger' : key.value.type === 'cardano' ? 'eternl' : undefined
}

/** Asks the wallet for its key; a Ledger answers by itself, Eternl asks its owner. */
export async function readWalletDid({ kind, wallet }: OpenWallet, options?: AbortOptions): Promise<Did> {
  return didOf({ type: KEY_TYPES[kind], bytes: await wallet.publicKey(options) })
}

/**
 * A signer in the name of `did`, which is known already, so that the wallet is asked only for signatures.
 *
 * No signature leaves it that does not verify with the key of `did` (A §14, W18, W19).
 *
 * @throws WrongWalletError at once when `did` is of another kind than the wallet's keys.
 */
export function createWalletSigner(did: Did, open: OpenWallet): Signer {
  const { kind, wallet, host } = open
  const type = KEY_TYPES[kind]
  const key = publicKeyOf(did)
  if (!key.ok || key.value.type !== type) {
    throw new WrongWalletError(
      `the context belongs to ${did}, which is no key of ${wallet.title}: use --context without ${kind}:`
    )
  }
  const expected = key.value
  return {
    did,
    async sign(message, options) {
      const onAsk = (): Promise<void> => host.tell(`Confirm ${PLACES[kind]}: sign with ${wallet.title}: ${excerptOf(message)}`)
      const signature = await wallet.sign(message, expected.bytes, { ...options, onAsk })
      if (verifyWithKey(expected, message, signature)) return signature
      const found = await wallet.publicKey(options)
      if (!bytesEqual(found, expected.bytes)) throw wrongWallet({ type, found, expected: expected.bytes })
      throw new BadWalletAnswerError(`the signature of ${wallet.title} does not verify with its key; it was not used`)
    }
  }
}

function excerptOf(message: Uint8Array): string {
  const text = fromUtf8(message)
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)}… (${message.length} bytes)` : text
}
