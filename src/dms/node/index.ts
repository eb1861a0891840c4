/**
 * dms/node: the behaviours of a node, bound to the services behind them.
 *
 * Imports: dms/resources, dms/onboarding, dms/bidding, dms/allocation, dms/deployment, dms/revocation.
 * State: which executors answer, which peers greeted; in memory.
 */
export { type CapabilityFile, serveCapabilityBehaviors } from './capability-behaviors.ts'
export { serveDeploymentBehaviors } from './deployment-behaviors.ts'
export { createExecutorWatch, type ExecutorWatch } from './executors.ts'
export { createGreeter } from './hello.ts'
export { serveNodeBehaviors } from './node-behaviors.ts'
export type { PeerDirectory } from './peers.ts'
export { serveProviderBehaviors } from './provider-behaviors.ts'
export { BIDDING, CHATTER, createSpread, type Spread, type SpreadRule } from './spread.ts'
