/**
 * dms/allocation: the workloads that run here for others, each a durable state machine.
 *
 * Imports: dms/resources.
 * State: one record per allocation, in the store; its output, below the work directory.
 */
export { MissingExecutorError, NotYoursError, UnknownAllocationError } from './errors.ts'
export { type AllocationRequest, type Allocations, type AllocationsOptions, createAllocations } from './manager.ts'
export type { AllocationRecord } from './record.ts'
export { type AllocationEvent, type AllocationState, advance, statusText } from './state.ts'
