import { DmsError, type ErrorKind } from '../base/index.ts'

/** The command line is wrong: unknown command or flag, missing or bad argument. */
export class UsageError extends DmsError {
  readonly code = 'CMD_USAGE'
  readonly kind = 'invalid'
}

/** Something would have to be asked, and there is nobody to ask. */
export class NoTerminalError extends DmsError {
  readonly code = 'CMD_NO_TERMINAL'
  readonly kind = 'unauthenticated'
}

/** No passphrase was given, or not twice the same. */
export class NoPassphraseError extends DmsError {
  readonly code = 'CMD_NO_PASSPHRASE'
  readonly kind = 'unauthenticated'
}

/** Something exists already and may not be replaced without being told to. */
export class NotReplacedError extends DmsError {
  readonly code = 'CMD_NOT_REPLACED'
  readonly kind = 'conflict'
}

/** What cannot be undone, and was not confirmed. */
export class NotConfirmedError extends DmsError {
  readonly code = 'CMD_NOT_CONFIRMED'
  readonly kind = 'conflict'
}

/** The process that was to run in the background ended at once. */
export class NotStartedError extends DmsError {
  readonly code = 'CMD_NOT_STARTED'
  readonly kind = 'unavailable'
}

/** Another DMS than that of this configuration answers where it should. */
export class OtherDmsError extends DmsError {
  readonly code = 'CMD_OTHER_DMS'
  readonly kind = 'conflict'
}

/** No DMS of this configuration runs on this machine. */
export class NotRunningError extends DmsError {
  readonly code = 'CMD_NOT_RUNNING'
  readonly kind = 'not-found'
}

/** The DMS was told to end and has not within the time that it usually takes. */
export class NotStoppedError extends DmsError {
  readonly code = 'CMD_NOT_STOPPED'
  readonly kind = 'timeout'
}

/** The text is no invitation, or not one for this user. */
export class BadInvitationError extends DmsError {
  readonly code = 'CMD_BAD_INVITATION'
  readonly kind = 'invalid'
}

/** The inviting machine and this one are in different networks, and cannot meet. */
export class OtherNetworkError extends DmsError {
  readonly code = 'CMD_OTHER_NETWORK'
  readonly kind = 'conflict'
}

/** The invitation cannot be used any more. */
export class InvitationExpiredError extends DmsError {
  readonly code = 'CMD_INVITATION_EXPIRED'
  readonly kind = 'forbidden'
}

/** There is no open invitation of that id. */
export class NoInvitationError extends DmsError {
  readonly code = 'CMD_NO_INVITATION'
  readonly kind = 'not-found'
}

/** So many invitations are open that no further one is given. */
export class TooManyInvitationsError extends DmsError {
  readonly code = 'CMD_TOO_MANY_INVITATIONS'
  readonly kind = 'exhausted'
}

/** The invitation was taken, but the inviting machine does not answer now. */
export class HostAwayError extends DmsError {
  readonly code = 'CMD_HOST_AWAY'
  readonly kind = 'unavailable'
}

/** A deployment that was followed has ended, and not well. */
export class DeploymentFailedError extends DmsError {
  readonly code = 'CMD_DEPLOYMENT_FAILED'
  readonly kind = 'conflict'
}

/** The unlock agent does not hold the key that was to be locked. */
export class NotUnlockedError extends DmsError {
  readonly code = 'CMD_NOT_UNLOCKED'
  readonly kind = 'not-found'
}

/** A file that was named, or the input, cannot be used. */
export class BadFileError extends DmsError {
  readonly code = 'CMD_BAD_FILE'
  readonly kind = 'invalid'
}

/** A file that was named does not exist. */
export class NoFileError extends DmsError {
  readonly code = 'CMD_NO_FILE'
  readonly kind = 'not-found'
}

/** The input is longer than anything that a command takes. */
export class InputTooLongError extends DmsError {
  readonly code = 'CMD_INPUT_TOO_LONG'
  readonly kind = 'invalid'
}

/** A token that cannot be the anchor it was given as. */
export class AnchorRefusedError extends DmsError {
  readonly code = 'CMD_ANCHOR_REFUSED'
  readonly kind = 'invalid'
}

/** There is no such anchor to remove. */
export class NoAnchorError extends DmsError {
  readonly code = 'CMD_NO_ANCHOR'
  readonly kind = 'not-found'
}

/** Nothing is known of tokens that were given to somebody. */
export class NothingIssuedError extends DmsError {
  readonly code = 'CMD_NOTHING_ISSUED'
  readonly kind = 'not-found'
}

/** There is no revocation to send. */
export class NothingToBroadcastError extends DmsError {
  readonly code = 'CMD_NOTHING_TO_BROADCAST'
  readonly kind = 'not-found'
}

/** `nunet cap inspect --check` found a token that does not hold. */
export class TokenRefusedError extends DmsError {
  readonly code = 'CMD_TOKEN_REFUSED'
  readonly kind = 'forbidden'
}

/** There is no such key in the configuration. */
export class UnknownConfigKeyError extends DmsError {
  readonly code = 'CMD_UNKNOWN_CONFIG_KEY'
  readonly kind = 'not-found'
}

/** The editor ended with an error. */
export class EditorFailedError extends DmsError {
  readonly code = 'CMD_EDITOR_FAILED'
  readonly kind = 'internal'
}

/** What `nunet run` needs does not exist; the message names the commands that create it. */
export class NotSetUpError extends DmsError {
  readonly code = 'CMD_NOT_SET_UP'
  readonly kind = 'not-found'
}

/** `nunet doctor` found what has to be mended; the kind is that of the first problem. */
export class UnhealthyError extends DmsError {
  readonly code = 'CMD_UNHEALTHY'
  readonly kind: ErrorKind

  constructor(message: string, kind: ErrorKind) {
    super(message)
    this.kind = kind
  }
}

/** This machine has no graphics card, or not the one that was named. */
export class NoGpuError extends DmsError {
  readonly code = 'CMD_NO_GPU'
  readonly kind = 'not-found'
}

/** A container with a graphics card did not start, or its program does not see the card. */
export class GpuNotUsableError extends DmsError {
  readonly code = 'CMD_GPU_NOT_USABLE'
  readonly kind = 'unavailable'
}

/** What was being shown may not be seen any more: the right to it was revoked, or has expired. */
export class NoLongerAllowedError extends DmsError {
  readonly code = 'CMD_NO_LONGER_ALLOWED'
  readonly kind = 'forbidden'
}

/** The reply was delivered and is printed, and says that nothing was done. */
export class RefusedReplyError extends DmsError {
  readonly code = 'CMD_REFUSED_REPLY'
  readonly kind: ErrorKind = 'conflict'
}
