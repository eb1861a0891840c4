/**
 * testing: what tests of this package and of programs that use it need: stand-ins, and the rules every implementation must pass.
 *
 * Imports: everything.
 * State: none beyond what its creators hold.
 */

export { CLUSTER_MACHINE, type Cluster, type ClusterNode, createCluster } from './cluster.ts'
export * from './compliance/index.ts'
export { BUSYBOX_IMAGE, loadBusyboxImage } from './docker-image.ts'
export { CLUSTER_HOST, createMemoryLogs } from './host.ts'
export {
  type LedgerEmulator,
  type LedgerEmulatorOptions,
  type LedgerMood,
  startLedgerEmulator
} from './ledger-emulator.ts'
export { createMemoryNetwork, type MemoryNetwork, type MemoryNetworkOptions } from './memory-network.ts'
export { type FoundRequirement, type Requirement, requirement } from './requirements.ts'
export { createVirtualClock, type VirtualClock } from './virtual-clock.ts'
