/**
 * executor/oci: runs containers straight on an OCI runtime, without a daemon.
 *
 * Imports: base, executor.
 * State: a record per workload and, in the workload's directory, the files of its run; what runs survives this process.
 */
export { createOciExecutor, type ImageSource, type OciExecutorOptions } from './oci-executor.ts'
export { probeOci } from './probe.ts'
