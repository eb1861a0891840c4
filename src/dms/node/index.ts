/**
 * dms/node: the behaviours of a node, bound to the services behind them.
 *
 * Imports: dms/resources, dms/onboarding, dms/bidding, dms/allocation, dms/deployment, dms/revocation.
 * State: which executors answer, which peers greeted, streams of events; in memory.
 */
export { serveAllocationBehaviors } from './allocation-behaviors.ts'
export { type ArtifactStore, serveArtifactBehaviors } from './artifact-behaviors.ts'
export { type CapabilityFile, serveCapabilityBehaviors } from './capability-behaviors.ts'
export { serveDeploymentBehaviors } from './deployment-behaviors.ts'
export { serveEventBehaviors } from './event-behaviors.ts'
export { createEventStreams, type EventStreams } from './event-streams.ts'
export { createExecutorWatch, type ExecutorWatch } from './executors.ts'
export { createGreeter } from './hello.ts'
export type { HostFacts, HostInterface, LogControl, LogEvent, ProcessVitals } from './host.ts'
export { serveLogBehaviors } from './log-behaviors.ts'
export { serveNodeBehaviors } from './node-behaviors.ts'
export { serveOutputBehaviors } from './output-behaviors.ts'
export { servePeerBehaviors } from './peer-behaviors.ts'
export { createPeerEvents } from './peer-events.ts'
export type { PeerDirectory } from './peers.ts'
export { serveProviderBehaviors } from './provider-behaviors.ts'
export { BIDDING, CHATTER, createSpread, type SpreadRule } from './spread.ts'
export { serveStatusBehaviors } from './status-behaviors.ts'
export { serveVolumeBehaviors } from './volume-behaviors.ts'
