/**
 * testing: what tests of this package and of programs that use it need: stand-ins, and the rules every implementation must pass.
 *
 * Imports: everything.
 * State: none beyond what its creators hold.
 */

export { CLUSTER_MACHINE, type Cluster, type ClusterNode, createCluster } from './cluster.ts'
export * from './compliance/index.ts'
export { BUSYBOX_IMAGE, loadBusyboxImage } from './docker-image.ts'
export { CLUSTER_HOST, createMemoryLogs, NO_ARTIFACTS } from './host.ts'
export {
  type LedgerEmulator,
  type LedgerEmulatorOptions,
  type LedgerMood,
  startLedgerEmulator
} from './ledger-emulator.ts'
export { createMemoryNetwork, type MemoryNetwork, type MemoryNetworkOptions } from './memory-network.ts'
export {
  createMachineProvider,
  MACHINE_GUEST,
  MACHINE_PATIENCE,
  type MachineProvider,
  machineScript
} from './micro-machines.ts'
export {
  assemble,
  digestOf,
  type FakeRegistry,
  type ImageRecipe,
  type Interference,
  type LayerFile,
  type MadeBlob,
  type MadeImage,
  makeArchive,
  makeArtifact,
  makeImage,
  pushImage,
  startFakeRegistry
} from './registry.ts'
export { type FoundRequirement, type Requirement, requirement } from './requirements.ts'
export { FAULTS, type Fault, type Faults, faultNames, parseFaults } from './simulator/faults.ts'
export type { Frame, HandlerOutcome, HandlerRun, Observer } from './simulator/observer.ts'
export { type SimulationOptions, type SimulationResult, simulate } from './simulator/simulation.ts'
export { WORKLOADS, type Workload } from './simulator/workload.ts'
export type { Violation, World } from './simulator/world.ts'
export { createVirtualClock, type VirtualClock } from './virtual-clock.ts'
