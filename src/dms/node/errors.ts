import { DmsError } from '../../base/index.ts'

/** The offer names something that this version cannot lend. */
export class UnsupportedOfferError extends DmsError {
  readonly code = 'NODE_UNSUPPORTED_OFFER'
  readonly kind = 'invalid'
}

/** A message lacks what its behaviour cannot do without. */
export class BadRequestError extends DmsError {
  readonly code = 'NODE_BAD_REQUEST'
  readonly kind = 'invalid'
}
