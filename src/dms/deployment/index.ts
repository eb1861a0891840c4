/**
 * dms/deployment: orchestrates ensembles on machines of others, each deployment a durable state machine.
 *
 * Imports: nothing of dms.
 * State: one record per deployment, in the store; the output of its allocations, below the work directory.
 */
export {
  BadEnsembleError,
  NotRunningError,
  TooShortError,
  UnknownDeploymentError
} from './errors.ts'
export { createDeployments, type Deployments, type DeploymentsOptions, type OutputPage } from './manager.ts'
export { place } from './placement.ts'
export type { Bid, Blueprint, Plan } from './plan.ts'
export type { DeploymentRecord } from './record.ts'
export { advance, type DeploymentEvent, type DeploymentState, planOf, statusOf } from './state.ts'
