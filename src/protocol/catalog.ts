import { allocationsList } from './allocations.ts'
import { artifactsList, artifactsPrune } from './artifacts.ts'
import type { PublicBehavior } from './behavior.ts'
import {
  capAnchor,
  capList,
  capProvideAnchor,
  capReload,
  capRemove,
  capRequireAnchor,
  capRevokeAnchor,
  capRevokeBroadcast,
  capRootAnchor,
  revocationNotice
} from './capability.ts'
import {
  deploymentList,
  deploymentLogs,
  deploymentManifest,
  deploymentNew,
  deploymentShutdown,
  deploymentStatus
} from './deployment.ts'
import { nodeEvents } from './events.ts'
import {
  broadcastHello,
  hello,
  peersConnect,
  peersDht,
  peersList,
  peersPing,
  peersScore,
  peersSelf,
  publicStatus
} from './node.ts'
import { offboard, onboard, onboardingResource, onboardingStatus } from './onboarding.ts'
import { allocationOutputs, allocationOutputsRead, deploymentOutputs, deploymentOutputsRead } from './outputs.ts'
import {
  allocate,
  allocationLogs,
  allocationShutdown,
  allocationStart,
  allocationStatus,
  bidReply,
  bidRequest,
  commit,
  orchestratorPresence,
  revert,
  taskTermination
} from './provider.ts'
import { hardwareSpec, hardwareUsage, resourcesAllocated, resourcesFree, resourcesOnboarded } from './resources.ts'
import { broadcastStatus, flightRecorder, loggerConfig, nodeMetrics, nodeStatus } from './status.ts'
import { volumesDelete, volumesList } from './volumes.ts'

/** Behaviours that belong together, as a section of the reference page. */
export interface BehaviorGroup {
  readonly title: string
  readonly behaviors: readonly PublicBehavior<unknown, unknown>[]
}

/** Stands for the id of an ensemble in the path of a behaviour that has one. */
const ANY_ENSEMBLE = '<ensemble id>'

/** All behaviours of the public contract, in the order of the reference page. */
export const BEHAVIOR_GROUPS: readonly BehaviorGroup[] = [
  {
    title: 'Node and peers',
    behaviors: [
      hello,
      broadcastHello,
      publicStatus,
      nodeStatus,
      broadcastStatus,
      nodeMetrics,
      loggerConfig,
      flightRecorder,
      peersSelf,
      peersList,
      peersPing,
      peersConnect,
      peersDht,
      peersScore,
      nodeEvents
    ]
  },
  {
    title: 'Lending',
    behaviors: [
      onboard,
      offboard,
      onboardingStatus,
      onboardingResource,
      hardwareSpec,
      hardwareUsage,
      resourcesOnboarded,
      resourcesAllocated,
      resourcesFree,
      allocationsList,
      artifactsList,
      artifactsPrune,
      volumesList,
      volumesDelete
    ]
  },
  {
    title: 'Deployments',
    behaviors: [
      deploymentNew,
      deploymentList,
      deploymentStatus,
      deploymentManifest,
      deploymentLogs,
      deploymentOutputs,
      deploymentOutputsRead,
      deploymentShutdown
    ]
  },
  {
    title: 'Capabilities',
    behaviors: [
      capList,
      capRootAnchor,
      capRequireAnchor,
      capProvideAnchor,
      capRevokeAnchor,
      capAnchor,
      capRemove,
      capReload,
      capRevokeBroadcast,
      revocationNotice
    ]
  },
  {
    title: 'Between nodes',
    behaviors: [
      bidRequest,
      bidReply,
      commit,
      allocate,
      revert,
      allocationStart,
      allocationStatus,
      allocationLogs(ANY_ENSEMBLE),
      allocationOutputs(ANY_ENSEMBLE),
      allocationOutputsRead(ANY_ENSEMBLE),
      allocationShutdown(ANY_ENSEMBLE),
      taskTermination,
      orchestratorPresence
    ]
  }
]

/** All behaviours of the public contract. */
export const BEHAVIORS: readonly PublicBehavior<unknown, unknown>[] = BEHAVIOR_GROUPS.flatMap(({ behaviors }) => behaviors)
