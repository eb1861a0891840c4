/**
 * executor: runs one workload in isolation; the drivers are in folders that only the composition root imports.
 *
 * Imports: base.
 * State: none; each driver keeps what it runs on the machine, under stable names.
 */
export {
  ExecutorBadSpecError,
  ExecutorFailedError,
  ExecutorImageNotFoundError,
  ExecutorNotPermittedError,
  ExecutorStartFailedError,
  ExecutorUnavailableError,
  ExecutorUnknownHandleError
} from './errors.ts'
export type {
  Executor,
  ExitStatus,
  LogChunk,
  Probe,
  RunHandle,
  Workload,
  WorkloadLimits,
  WorkloadUsage
} from './executor.ts'
