import { DmsError, type DmsErrorOptions, type ErrorKind } from '../base/index.ts'

/** The other side answered with an error; `code` and `kind` are the ones that it named. */
export class RemoteError extends DmsError {
  readonly code: Uppercase<string>
  readonly kind: ErrorKind

  constructor(message: string, code: string, kind: ErrorKind, options: DmsErrorOptions = {}) {
    super(message, options)
    this.code = code.toUpperCase() as Uppercase<string>
    this.kind = kind
  }
}

/** No reply came before the message expired: the receiver is away, busy, or does not know us. */
export class NoReplyError extends DmsError {
  readonly code = 'ACTOR_NO_REPLY'
  readonly kind = 'timeout'
}

/** A message or reply does not have the form that its behaviour asks for. */
export class BadPayloadError extends DmsError {
  readonly code = 'ACTOR_BAD_PAYLOAD'
  readonly kind = 'invalid'
}

/** An authorised caller asked for a behaviour that does not exist here. */
export class UnknownBehaviorError extends DmsError {
  readonly code = 'ACTOR_UNKNOWN_BEHAVIOR'
  readonly kind = 'not-found'
}

/** A caller that is known here asked for more than it may. */
export class NotAuthorizedError extends DmsError {
  readonly code = 'ACTOR_NOT_AUTHORIZED'
  readonly kind = 'forbidden'
}

/** The actor has too much to do. */
export class OverloadedError extends DmsError {
  readonly code = 'ACTOR_OVERLOADED'
  readonly kind = 'exhausted'
}

/** An inbox of this node is in use. */
export class InboxTakenError extends DmsError {
  readonly code = 'ACTOR_INBOX_TAKEN'
  readonly kind = 'conflict'
}

/** A message that a local client asked to transport cannot be transported. */
export class BadEnvelopeError extends DmsError {
  readonly code = 'ACTOR_BAD_ENVELOPE'
  readonly kind = 'invalid'
}

/** A handler failed for a reason that only the log of that node names. */
export class HandlerFailedError extends DmsError {
  readonly code = 'ACTOR_HANDLER_FAILED'
  readonly kind = 'internal'
}

/** A handler went on after its message had expired; only the log of its node says so. */
export class OverdueError extends DmsError {
  readonly code = 'ACTOR_OVERDUE'
  readonly kind = 'timeout'
}

/** The node came back a moment ago and cannot tell whether it had this message before; it has not been handled now. */
export class RestartedError extends DmsError {
  readonly code = 'ACTOR_RESTARTED'
  readonly kind = 'unavailable'
}

/** That a message was accepted could not be written down, so it was not handled: after a restart it might be handled again. */
export class NotRecordedError extends DmsError {
  readonly code = 'ACTOR_NOT_RECORDED'
  readonly kind = 'unavailable'
}

/** A reply is larger than one message can carry; callers that know how read it in pieces. */
export class ReplyTooLargeError extends DmsError {
  readonly code = 'ACTOR_REPLY_TOO_LARGE'
  readonly kind = 'exhausted'
}

/** A large reply is read in pieces, and is not held any longer. */
export class ReplyGoneError extends DmsError {
  readonly code = 'ACTOR_REPLY_GONE'
  readonly kind = 'not-found'
}
