import { DmsError } from '../../base/index.ts'

/** The offer names something that this version cannot lend. */
export class UnsupportedOfferError extends DmsError {
  readonly code = 'NODE_UNSUPPORTED_OFFER'
  readonly kind = 'invalid'
}

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
