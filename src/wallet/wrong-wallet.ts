import { didOf, type PublicKey } from '../identity/index.ts'
import { WrongWalletError } from './errors.ts'

/** Two keys of one kind. */
export interface KeyComparison {
  readonly type: PublicKey['type']
  readonly found: Uint8Array
  readonly expected: Uint8Array
}

/** Says in DIDs which key a wallet has and which was wanted. */
export function wrongWallet({ type, found, expected }: KeyComparison): WrongWalletError {
  const [own, wanted] = [didOf({ type, bytes: found }), didOf({ type, bytes: expected })]
  return new WrongWalletError(
    `the wallet has the key of ${own}, but ${wanted} has to sign: use the device, account or wallet that the context was made with`
  )
}
