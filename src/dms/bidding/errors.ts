import { DmsError } from '../../base/index.ts'

/** A commit came without a live bid of this node for that ensemble and asker. */
export class NoBidError extends DmsError {
  readonly code = 'BIDDING_NO_BID'
  readonly kind = 'conflict'
}

/** A commit asks for something else than the bid was about. */
export class BidMismatchError extends DmsError {
  readonly code = 'BIDDING_MISMATCH'
  readonly kind = 'invalid'
}
