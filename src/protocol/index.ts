/**
 * protocol: the public contract: behaviours with the forms of request and reply, and the ensemble file.
 *
 * Imports: base, identity, ucan, actor.
 * State: none.
 */

export { ALLOCATION_PAGE, allocationsList } from './allocations.ts'
export { ARTIFACT_PAGE, artifactsList, artifactsPrune } from './artifacts.ts'
export { type Callers, define, type PublicBehavior } from './behavior.ts'
export {
  capAnchor,
  capList,
  capProvideAnchor,
  capReload,
  capRemove,
  capRequireAnchor,
  capRevokeAnchor,
  capRevokeBroadcast,
  capRootAnchor,
  REVOCATION_TOPIC,
  revocationNotice
} from './capability.ts'
export { BEHAVIOR_GROUPS, BEHAVIORS } from './catalog.ts'
export type { ObjectOf, Shape, ValueOf, WireCodec } from './codec.ts'
export { DONE } from './common.ts'
export {
  DEPLOYMENT_STATUSES,
  type DeploymentStatus,
  deploymentList,
  deploymentLogs,
  deploymentManifest,
  deploymentNew,
  deploymentShutdown,
  deploymentStatus
} from './deployment.ts'
export * from './ensemble/index.ts'
export { MAX_EVENTS, nodeEvent, nodeEvents } from './events.ts'
export { examplesOf } from './example.ts'
export {
  broadcastHello,
  HELLO_TOPIC,
  hello,
  peersConnect,
  peersDht,
  peersList,
  peersPing,
  peersScore,
  peersSelf,
  publicStatus
} from './node.ts'
export { type OnboardingConfig, offboard, onboard, onboardingResource, onboardingStatus } from './onboarding.ts'
export { describeApi } from './openapi/index.ts'
export {
  allocationOutputs,
  allocationOutputsRead,
  deploymentOutputs,
  deploymentOutputsRead,
  MAX_OUTPUT_FILES,
  OUTPUT_PAGE,
  OUTPUT_PIECE
} from './outputs.ts'
export {
  type AllocationConfig,
  allocate,
  allocationLogs,
  allocationShutdown,
  allocationStart,
  allocationStatus,
  BID_BEHAVIOR,
  bidReply,
  bidRequest,
  bidSignedBytes,
  commit,
  DEPLOYMENT_TOPIC,
  orchestratorPresence,
  revert,
  taskTermination,
  type UnsignedBid,
  type WireBid
} from './provider.ts'
export { CALLER_CLASSES, renderBehaviorReference } from './reference.ts'
export {
  hardwareSpec,
  hardwareUsage,
  resourcesAllocated,
  resourcesFree,
  resourcesOnboarded,
  type WireGpu,
  type WireResources
} from './resources.ts'
export {
  broadcastStatus,
  flightRecorder,
  loggerConfig,
  type NodeStatus,
  nodeMetrics,
  nodeStatus,
  type PublicFacts,
  STATUS_TOPIC
} from './status.ts'
export { VOLUME_PAGE, volumesDelete, volumesList } from './volumes.ts'
