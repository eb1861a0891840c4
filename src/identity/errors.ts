import { DmsError } from '../base/index.ts'

/** The key store has no key of this name. */
export class KeyNotFoundError extends DmsError {
  readonly code = 'IDENTITY_KEY_NOT_FOUND'
  readonly kind = 'not-found'
}

/** The key store has a key of this name and was not told to replace it. */
export class KeyExistsError extends DmsError {
  readonly code = 'IDENTITY_KEY_EXISTS'
  readonly kind = 'conflict'
}

/** The file of a key was changed, replaced or removed by somebody else while a command was at it. */
export class KeyChangedError extends DmsError {
  readonly code = 'IDENTITY_KEY_CHANGED'
  readonly kind = 'conflict'
}

/** A key name that cannot be the name of a file inside the key directory. */
export class BadKeyNameError extends DmsError {
  readonly code = 'IDENTITY_BAD_KEY_NAME'
  readonly kind = 'invalid'
}

/** A key file that no passphrase can open: not of version 3, damaged, or with parameters beyond our limits. */
export class BadKeyFileError extends DmsError {
  readonly code = 'IDENTITY_BAD_KEY_FILE'
  readonly kind = 'invalid'
}

/** The passphrase does not open the key file, or the file was changed: the format cannot tell the two apart. */
export class WrongPassphraseError extends DmsError {
  readonly code = 'IDENTITY_WRONG_PASSPHRASE'
  readonly kind = 'unauthenticated'
}

/** Keys are neither stored nor opened with an empty passphrase. */
export class EmptyPassphraseError extends DmsError {
  readonly code = 'IDENTITY_EMPTY_PASSPHRASE'
  readonly kind = 'invalid'
}

/** A sealed record that was made by another key or was changed. */
export class SealBrokenError extends DmsError {
  readonly code = 'IDENTITY_SEAL_BROKEN'
  readonly kind = 'invalid'
}

/** A wallet key (`eth`, `cardano`) where only the key of an actor can stand. */
export class UnsupportedKeyError extends DmsError {
  readonly code = 'IDENTITY_UNSUPPORTED_KEY'
  readonly kind = 'invalid'
}
