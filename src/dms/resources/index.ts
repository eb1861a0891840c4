/**
 * dms/resources: what is lent, and who was promised what of it.
 *
 * Imports: nothing of dms.
 * State: the offer and the commitments, in the store.
 */
export { type Amount, add, formatBytes, NOTHING, shortages, total } from './amounts.ts'
export { amountCodec } from './codec.ts'
export { chooseGpus, type GpuNeed, vendorWord } from './gpu-choice.ts'
export { deviceOf, type GpuShare } from './gpus.ts'
export { createResourceLedger, type ResourceLedger } from './ledger.ts'
