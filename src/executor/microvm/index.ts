/**
 * executor/microvm: runs each workload in a small virtual machine of its own, which outlives the daemon.
 *
 * Imports: base, executor.
 * State: one record per workload in the executor's directory; everything else below the workload's own directory.
 */
export type { RootImages } from './disks.ts'
export {
  createMicrovmExecutor,
  DEFAULT_MICROVM_LIMITS,
  type MicrovmExecutorLimits,
  type MicrovmExecutorOptions
} from './microvm-executor.ts'
export { type AccelerationChoice, probeMicrovm } from './probe.ts'
