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
  readonly ports: readonly WorkloadPort[]
  /** Directories and files of this machine that the workload sees; none when absent. Sources exist and were checked by the caller. */
  readonly mounts?: readonly WorkloadMount[]
  /** Files that are inside before anything runs: keys, for one. None when absent. */
  readonly files?: readonly WorkloadFile[]
  /** Run inside before the workload's own program, in this order; the first that fails ends the workload with its exit code. */
  readonly scripts?: readonly WorkloadScript[]
  /** Devices of this machine that belong to the workload alone; none when absent. */
  readonly gpus?: readonly WorkloadGpu[]
}

/** Port mapping: `hostPort` of `hostAddress` leads to `port` inside. */
export interface WorkloadPort {
  readonly protocol: 'tcp' | 'udp'
  readonly hostAddress: string
  readonly hostPort: number
  readonly port: number
}

/** A directory or file of this machine at a place inside. */
export interface WorkloadMount {
  /** Absolute, existing, free of links that leave what the workload may see. */
  readonly source: string
  /** Absolute and normal (no `.`, `..`, `//`); not `/`. */
  readonly target: string
  readonly isReadOnly: boolean
}

/** A file that is put inside. */
export interface WorkloadFile {
  /** Absolute and normal. */
  readonly path: string
  readonly content: Uint8Array
  /** Permission bits, as 0o600. */
  readonly mode: number
}

/** A script that prepares the inside, for `/bin/sh` unless it begins with `#!`. */
export interface WorkloadScript {
  /** Matches `^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`. */
  readonly name: string
  readonly content: Uint8Array
}

/** A graphics card of this machine, by what its vendor's runtime and the kernel know it as. */
export interface WorkloadGpu {
  readonly vendor: 'nvidia' | 'amd' | 'intel'
  /** NVIDIA: `GPU-…`. */
  readonly uuid?: string
  /** `0000:65:00.0`. */
  readonly pciAddress?: string
  /** Device nodes, as `/dev/dri/renderD128`. */
  readonly devices: readonly string[]
}

/** What a driver can do beside running a program; a workload that asks for more is refused by `check`. */
export interface ExecutorFeatures {
  readonly ports: boolean
  readonly mounts: boolean
  readonly files: boolean
  readonly scripts: boolean
  readonly gpus: boolean
  /** Commands inside of a running workload. */
  readonly exec: boolean
}

/** How far a start is. */
export interface StartProgress {
  /** `pull`, `unpack`, `create`, `boot`: what is done at the moment. */
  readonly step: string
  /** Bytes done and, where known, in all. */
  readonly done?: Bytes
  readonly total?: Bytes
}

/** Options of a start. */
export interface StartOptions extends AbortOptions {
  /** Told of the steps that take long; at most a few times a second. */
  readonly onProgress?: (progress: StartProgress) => void
}

/** What came of a command inside of a workload. */
export interface ExecResult {
  readonly code: number
  /** Both streams in the order in which they came, cut at `maxOutput`. */
  readonly output: Uint8Array
  readonly isCut: boolean
}

/** Options of a command inside. */
export interface ExecOptions extends AbortOptions {
  /** More output than this is read and dropped. */
  readonly maxOutput: Bytes
}

/** Opaque, JSON-safe, survives a restart of the daemon. */
export type RunHandle = Brand<string, 'RunHandle'>

/** How a workload ended. */
export type ExitStatus =
  | { readonly type: 'exited'; readonly code: number }
  | {
      readonly type: 'killed'
      readonly signal: string
      readonly outOfMemory: boolean
      /** Why, where the driver did it for a limit: `it wrote more than its disk`. */
      readonly reason?: string
    }
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
  readonly pids?: number
  /** Written by the workload and still there. */
  readonly disk?: Bytes
}

/**
 * Runs one workload in isolation.
 *
 * A driver that restarts with the daemon finds its workloads again by handle. Every driver passes
 * `testing/compliance/executor.ts`. Errors: `EXECUTOR_BAD_SPEC` (invalid), `EXECUTOR_UNAVAILABLE` (unavailable),
 * `EXECUTOR_IMAGE_NOT_FOUND` (not-found), `EXECUTOR_START_FAILED` (internal), `EXECUTOR_NOT_PERMITTED` (forbidden),
 * `EXECUTOR_UNSUPPORTED` (invalid).
 */
export interface Executor {
  /** The `executor:` of the ensemble: `docker`, `wasm`, `null`. */
  readonly kind: string
  readonly features: ExecutorFeatures
  probe(options?: AbortOptions): Promise<Probe>
  /** Throws, or rejects with, `EXECUTOR_BAD_SPEC` naming the field when `spec` is not acceptable; no effect. */
  check(workload: Workload): void | Promise<void>
  /** Idempotent per `workload.id`: a second start returns the handle of the first. */
  start(workload: Workload, options?: StartOptions): Promise<RunHandle>
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
  /**
   * Runs a command inside, as the workload's own user, and waits for its end; an aborted signal kills it. Errors:
   * `EXECUTOR_UNSUPPORTED` where `features.exec` is false, `EXECUTOR_UNKNOWN_HANDLE`, `EXECUTOR_FAILED` when the workload does not
   * run or the command cannot be started.
   */
  exec(handle: RunHandle, command: readonly string[], options: ExecOptions): Promise<ExecResult>
  /** The workload ids that this driver still knows on this machine, running or ended: for the sweep at start. */
  list(): Promise<readonly { readonly id: string; readonly handle: RunHandle }[]>
}
