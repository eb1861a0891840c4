import { DmsError } from '../../base/index.ts'

/** A token cannot be the anchor it was sent as. */
export class AnchorRefusedError extends DmsError {
  readonly code = 'NODE_ANCHOR_REFUSED'
  readonly kind = 'invalid'
}

/** There is no such anchor to remove. */
export class NoAnchorError extends DmsError {
  readonly code = 'NODE_NO_ANCHOR'
  readonly kind = 'not-found'
}

/** A stream of events was asked for with something that is no ticket for one. */
export class BadTicketError extends DmsError {
  readonly code = 'NODE_BAD_TICKET'
  readonly kind = 'forbidden'
}

/** As many streams of events are open as there may be. */
export class TooManyStreamsError extends DmsError {
  readonly code = 'NODE_TOO_MANY_STREAMS'
  readonly kind = 'exhausted'
}

/** A message lacks what its behaviour cannot do without. */
export class BadRequestError extends DmsError {
  readonly code = 'NODE_BAD_REQUEST'
  readonly kind = 'invalid'
}

/** A setting of the log cannot be applied. */
export class LogSettingError extends DmsError {
  readonly code = 'NODE_LOG_SETTING'
  readonly kind = 'invalid'
}

/** No volume of that name and owner is on this machine. */
export class UnknownVolumeError extends DmsError {
  readonly code = 'NODE_UNKNOWN_VOLUME'
  readonly kind = 'not-found'
}
