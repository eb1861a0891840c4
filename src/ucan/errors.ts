import { DmsError } from '../base/index.ts'

/** A token cannot be made as requested: a DID, capability, topic or expiry of the request is invalid. */
export class BadGrantError extends DmsError {
  readonly code = 'UCAN_BAD_GRANT'
  readonly kind = 'invalid'
}

/** Only the issuer of a token can revoke it. */
export class NotIssuerError extends DmsError {
  readonly code = 'UCAN_NOT_ISSUER'
  readonly kind = 'forbidden'
}

/** A name that cannot name a context: it becomes part of a path. */
export class BadContextNameError extends DmsError {
  readonly code = 'UCAN_BAD_CONTEXT_NAME'
  readonly kind = 'invalid'
}

/** There is a context of this name already. */
export class ContextExistsError extends DmsError {
  readonly code = 'UCAN_CONTEXT_EXISTS'
  readonly kind = 'conflict'
}

/** There is no context of this name. */
export class ContextNotFoundError extends DmsError {
  readonly code = 'UCAN_CONTEXT_NOT_FOUND'
  readonly kind = 'not-found'
}

/** The file of a context is not what this program or the reference writes. */
export class BadContextFileError extends DmsError {
  readonly code = 'UCAN_BAD_CONTEXT_FILE'
  readonly kind = 'invalid'
}

/** The context belongs to another DID than the key it was opened with. */
export class WrongKeyError extends DmsError {
  readonly code = 'UCAN_WRONG_KEY'
  readonly kind = 'forbidden'
}

/** A context file was changed by something else than this program with the context's key: its signature does not fit. */
export class ContextChangedError extends DmsError {
  readonly code = 'UCAN_CONTEXT_CHANGED'
  readonly kind = 'forbidden'
}

/** Others than its owner can change a context file; the message names the command that ends that. */
export class ContextWritableError extends DmsError {
  readonly code = 'UCAN_CONTEXT_WRITABLE'
  readonly kind = 'forbidden'
}

/** Somebody else saved the context while a change of it was being signed; nothing was overwritten. */
export class ContextBusyError extends DmsError {
  readonly code = 'UCAN_CONTEXT_BUSY'
  readonly kind = 'conflict'
}

/** A change would make a context file larger than what is read again. */
export class ContextFullError extends DmsError {
  readonly code = 'UCAN_CONTEXT_FULL'
  readonly kind = 'exhausted'
}

/** No provide anchors allow what shall be delegated; the message names what is not covered. */
export class NotDelegableError extends DmsError {
  readonly code = 'UCAN_NOT_DELEGABLE'
  readonly kind = 'forbidden'
}
