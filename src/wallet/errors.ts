import { DmsError } from '../base/index.ts'

/** There is no wallet: no device, and no program that could speak to one. The message says what to do. */
export class WalletNotFoundError extends DmsError {
  readonly code = 'WALLET_NOT_FOUND'
  readonly kind = 'unavailable'
}

/** The device is there, and this user may not open it. */
export class WalletForbiddenError extends DmsError {
  readonly code = 'WALLET_FORBIDDEN'
  readonly kind = 'forbidden'
}

/** The device waits for its PIN. */
export class WalletLockedError extends DmsError {
  readonly code = 'WALLET_LOCKED'
  readonly kind = 'unavailable'
}

/** The device shows its dashboard or another application than the one that signs. */
export class WrongAppError extends DmsError {
  readonly code = 'WALLET_WRONG_APP'
  readonly kind = 'unavailable'
}

/** Its owner refused to sign, on the device. */
export class WalletRefusedError extends DmsError {
  readonly code = 'WALLET_REFUSED'
  readonly kind = 'cancelled'
}

/** The device or its line is in use by another program, or still shows an earlier question. */
export class WalletBusyError extends DmsError {
  readonly code = 'WALLET_BUSY'
  readonly kind = 'unavailable'
}

/** The device was unplugged, or its emulator ended, while it was used. */
export class WalletGoneError extends DmsError {
  readonly code = 'WALLET_GONE'
  readonly kind = 'unavailable'
}

/** Nobody confirmed in time. */
export class WalletTimeoutError extends DmsError {
  readonly code = 'WALLET_TIMEOUT'
  readonly kind = 'timeout'
}

/** More than a wallet is asked to show and sign. */
export class MessageTooLongError extends DmsError {
  readonly code = 'WALLET_MESSAGE_TOO_LONG'
  readonly kind = 'invalid'
}

/** An answer that does not follow the protocol, or a signature that is none; nothing of it was used. */
export class BadWalletAnswerError extends DmsError {
  readonly code = 'WALLET_BAD_ANSWER'
  readonly kind = 'unavailable'
}

/** The device refused with a status word that has no meaning of its own here. */
export class WalletFailedError extends DmsError {
  readonly code = 'WALLET_FAILED'
  readonly kind = 'unavailable'
}

/** The wallet holds another key than the context belongs to: another device, seed or account. */
export class WrongWalletError extends DmsError {
  readonly code = 'WALLET_WRONG_KEY'
  readonly kind = 'unauthenticated'
}

/** The wallet signed a hash of the message instead of the message, which no other node would accept. */
export class HashedSignatureError extends DmsError {
  readonly code = 'WALLET_HASHED_SIGNATURE'
  readonly kind = 'invalid'
}

/** `ledger-cli` or `eternl-cli` could not be run, ended with an error, or left nothing that can be used. */
export class WalletProgramError extends DmsError {
  readonly code = 'WALLET_PROGRAM_FAILED'
  readonly kind = 'unavailable'
}

/** A setting of the environment that chooses a wallet cannot be used. */
export class BadWalletSettingError extends DmsError {
  readonly code = 'WALLET_BAD_SETTING'
  readonly kind = 'invalid'
}

/** A name that begins like that of a wallet and is none. */
export class BadWalletNameError extends DmsError {
  readonly code = 'WALLET_BAD_NAME'
  readonly kind = 'invalid'
}

/** An alias or account index that cannot be kept. */
export class BadAliasError extends DmsError {
  readonly code = 'WALLET_BAD_ALIAS'
  readonly kind = 'invalid'
}

/** There is no such alias. */
export class UnknownAliasError extends DmsError {
  readonly code = 'WALLET_UNKNOWN_ALIAS'
  readonly kind = 'not-found'
}

/** The file of aliases is damaged. */
export class BadAliasFileError extends DmsError {
  readonly code = 'WALLET_BAD_ALIAS_FILE'
  readonly kind = 'invalid'
}
