/**
 * dms/resources: what is lent, and who was promised what of it.
 *
 * Imports: nothing of dms.
 * State: the offer and the commitments, in the store.
 */
export { type Amount, add, formatBytes, NOTHING, shortages, subtract, total } from './amounts.ts'
export { NotCommittedError, OfferTooSmallError, ResourcesExhaustedError } from './errors.ts'
export { type Commitment, createResourceLedger, type ResourceLedger } from './ledger.ts'
