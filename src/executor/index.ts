/**
 * executor: runs one workload in isolation; the drivers are in folders that only the composition root imports.
 *
 * Imports: base.
 * State: none; each driver keeps what it runs on the machine, under stable names.
 */
export type { Egress, EgressFilter, JobAddress, JobNetwork } from './egress.ts'
export {
  ExecutorBadSpecError,
  ExecutorFailedError,
  ExecutorImageNotFoundError,
  ExecutorNotPermittedError,
  ExecutorStartFailedError,
  ExecutorUnavailableError,
  ExecutorUnknownHandleError,
  ExecutorUnsupportedError
} from './errors.ts'
export type {
  ExecOptions,
  ExecResult,
  Executor,
  ExecutorFeatures,
  ExitStatus,
  LogChunk,
  Probe,
  RunHandle,
  StartOptions,
  StartProgress,
  Workload,
  WorkloadFile,
  WorkloadGpu,
  WorkloadLimits,
  WorkloadMount,
  WorkloadPort,
  WorkloadScript,
  WorkloadUsage
} from './executor.ts'
