/**
 * dms/deployment: orchestrates ensembles on machines of others, each deployment a durable state machine.
 *
 * Imports: nothing of dms.
 * State: one record per deployment, in the store; the output of its allocations, below the work directory.
 */
export { createDeployments, type Deployments } from './manager.ts'
export type { DeploymentRecord } from './record.ts'
export { planOf, statusOf } from './state.ts'
