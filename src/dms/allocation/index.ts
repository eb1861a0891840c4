/**
 * dms/allocation: the workloads that run here for others, each a durable state machine.
 *
 * Imports: dms/resources.
 * State: one record per allocation, in the store; its output, below the work directory.
 */
export { workloadGpus } from './graphics.ts'
export { type AllocationRequest, type Allocations, createAllocations } from './manager.ts'
export { toPreparation } from './preparation.ts'
export type { AllocationRecord } from './record.ts'
export { statusText } from './state.ts'
