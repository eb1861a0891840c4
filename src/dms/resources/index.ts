/**
 * dms/resources: what is lent, and who was promised what of it.
 *
 * Imports: nothing of dms.
 * State: the offer and the commitments, in the store.
 */
export { type Amount, add, formatBytes, NOTHING, shortages } from './amounts.ts'
export { createResourceLedger, type ResourceLedger } from './ledger.ts'
