import type { AbortOptions, Brand, Bytes, JsonValue, Millis } from '../base/index.ts'

/** What a workload may use; enforced by the driver. */
export interface WorkloadLimits {
  /** CPU cores, fractions allowed. */
  readonly cpuCores: number
  readonly memory: Bytes
  readonly disk: Bytes
  /** Processes and threads. */
  readonly pids: number
}

/** One thing to run. */
export interface Workload {
  /** The full allocation id; `start` is idempotent per id. Matches `^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$`. */
  readonly id: string
  /** The `execution.params` of the ensemble for this executor, parsed by the driver with a schema. */
  readonly spec: JsonValue
  readonly limits: WorkloadLimits
  /** An existing absolute directory, mode 0700, owned by this workload; the driver may keep files below it. */
  readonly directory: string
  /** `privileged` is refused unless this is true (`job.allow_privileged_docker`). */
  readonly allowPrivileged: boolean
  /** Port mappings: host port → port inside, TCP, bound to `hostAddress`. */
  readonly ports: readonly { readonly hostAddress: string; readonly hostPort: number; readonly port: number }[]
}

/** Opaque, JSON-safe, survives a restart of the daemon. */
export type RunHandle = Brand<string, 'RunHandle'>

/** How a workload ended. */
export type ExitStatus =
  | { readonly type: 'exited'; readonly code: number }
  | { readonly type: 'killed'; readonly signal: string; readonly outOfMemory: boolean }
  | { readonly type: 'lost'; readonly reason: string }

/** One piece of output. */
export interface LogChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Uint8Array
}

/** Whether an executor works on this machine. */
export type Probe =
  | { readonly available: true; readonly version: string }
  | { readonly available: false; readonly reason: string }

/** Resources used by a running workload, or `undefined` members where the driver cannot tell. */
export interface WorkloadUsage {
  readonly cpuPercent?: number
  readonly memory?: Bytes
}

/**
 * Runs one workload in isolation.
 *
 * A driver that restarts with the daemon finds its workloads again by handle. Every driver passes
 * `testing/compliance/executor.ts`. Errors: `EXECUTOR_BAD_SPEC` (invalid), `EXECUTOR_UNAVAILABLE` (unavailable),
 * `EXECUTOR_IMAGE_NOT_FOUND` (not-found), `EXECUTOR_START_FAILED` (internal), `EXECUTOR_NOT_PERMITTED` (forbidden).
 */
export interface Executor {
  /** The `executor:` of the ensemble: `docker`, `wasm`, `null`. */
  readonly kind: string
  probe(options?: AbortOptions): Promise<Probe>
  /** Throws `EXECUTOR_BAD_SPEC` naming the field when `spec` is not acceptable; no effect. */
  check(workload: Workload): void
  /** Idempotent per `workload.id`: a second start returns the handle of the first. */
  start(workload: Workload, options?: AbortOptions): Promise<RunHandle>
  /** False: it no longer exists. An ended workload that was not removed still exists. */
  recover(handle: RunHandle): Promise<boolean>
  /** Resolves when it has ended; may be called any number of times, also after the end and after a restart. */
  wait(handle: RunHandle, options?: AbortOptions): Promise<ExitStatus>
  /** Asks, waits for `grace`, kills; idempotent. */
  stop(handle: RunHandle, grace: Millis): Promise<void>
  /** Leaves no trace; idempotent; stops first where needed. */
  remove(handle: RunHandle): Promise<void>
  /** All output from the beginning in order per stream; with `follow` goes on until the workload ends. */
  logs(handle: RunHandle, options?: { readonly follow?: boolean } & AbortOptions): AsyncIterable<LogChunk>
  usage(handle: RunHandle): Promise<WorkloadUsage>
  /** The workload ids that this driver still knows on this machine, running or ended: for the sweep at start. */
  list(): Promise<readonly { readonly id: string; readonly handle: RunHandle }[]>
}
