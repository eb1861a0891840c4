/**
 * dms: the domain: lends a machine, runs work for others, deploys work on machines of others.
 *
 * Imports: base, db, identity, ucan, actor, hardware, executor, storage, protocol.
 * State: offer, commitments, allocations, deployments, learned revocations, accepted messages, in the store; output of jobs, below the work directory.
 */

export type {
  ArtifactStore,
  CapabilityFile,
  HostFacts,
  HostInterface,
  LogControl,
  LogEvent,
  ProcessVitals
} from './node/index.ts'
export { createNode, type Node, type NodeOptions } from './node.ts'
export { createJobOutput, type JobOutput } from './output.ts'
export type { Place } from './place.ts'
export { createReplayJournal } from './replay-journal.ts'
export { createKnownRevocations, type KnownRevocations } from './revocation/index.ts'
