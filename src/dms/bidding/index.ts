/**
 * dms/bidding: which questions this provider answers, and the bids it still honours.
 *
 * Imports: dms/resources.
 * State: live bids, in memory.
 */
export { type BidItem, judge, type ProviderFacts } from './answer.ts'
export { type Bids, createBids, type LiveBid } from './bids.ts'
export { BidMismatchError, NoBidError } from './errors.ts'
