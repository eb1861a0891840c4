/**
 * wallet: keys that never leave a device of their owner: Ledger and Eternl.
 *
 * Imports: base, db, identity.
 * State: the file of aliases; a device is open only while it answers.
 */
export { type AliasStore, createAliasStore } from './aliases.ts'
export {
  BadAliasError,
  BadAliasFileError,
  BadWalletAnswerError,
  BadWalletNameError,
  BadWalletSettingError,
  HashedSignatureError,
  MessageTooLongError,
  UnknownAliasError,
  WalletBusyError,
  WalletFailedError,
  WalletForbiddenError,
  WalletGoneError,
  WalletLockedError,
  WalletNotFoundError,
  WalletProgramError,
  WalletRefusedError,
  WalletTimeoutError,
  WrongAppError,
  WrongWalletError
} from './errors.ts'
export { createEternlWallet } from './eternl.ts'
export type { SignOptions, ToolCall, Wallet, WalletHost } from './host.ts'
export { createLedgerWallet } from './ledger.ts'
export { accountOf, parseWalletName, type WalletKind, type WalletName } from './names.ts'
export { createWalletSigner, type OpenWallet, readWalletDid, walletKindOf } from './signer.ts'
