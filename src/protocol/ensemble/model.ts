import type { Bytes, Issue, JsonValue, Millis } from '../../base/index.ts'

/** What is wrong, or odd, at which place of an ensemble file; line and column count from 1. */
export interface EnsembleIssue extends Issue {
  readonly line?: number
  readonly column?: number
}

/**
 * A checked ensemble: what shall run, on how many machines, and under which conditions (C §7.5).
 *
 * Every name in it (allocations, nodes, scripts, contracts) matches its pattern and every reference exists, whether it came from
 * a file or from the network: names are safe as parts of paths and ids.
 */
export interface EnsembleConfig {
  readonly allocations: ReadonlyMap<string, EnsembleAllocation>
  readonly nodes: ReadonlyMap<string, EnsembleNode>
  readonly edges: readonly EnsembleEdge[]
  readonly escalationStrategy?: 'redeploy' | 'teardown'
  readonly supervisor?: SupervisorTree
  readonly keys: ReadonlyMap<string, AccessKey>
  readonly scripts: ReadonlyMap<string, Uint8Array>
  /** `join`: whether the deployer's machine becomes a member of the subnet. */
  readonly subnet: { readonly join: boolean }
  readonly contracts: ReadonlyMap<string, ContractReference>
  /** Peer ids on which nothing may be deployed. */
  readonly excludePeers: readonly string[]
  /** Stored with the deployment; the list of deployments filters by it. */
  readonly metadata: ReadonlyMap<string, string>
}

/** One workload. A task ends by itself, a service runs until it is stopped. */
export interface EnsembleAllocation {
  readonly type: 'service' | 'task'
  /** Equal to `execution.type`. */
  readonly executor: string
  readonly resources: ResourceNeed
  readonly execution: Execution
  /** Unique; `<dnsName>.internal` inside the subnet. The allocation's name where the file has none. */
  readonly dnsName: string
  /** Allocations on the same node that start first; without cycles. */
  readonly dependsOn: readonly string[]
  readonly failureRecovery: 'stay_down' | 'one_for_one' | 'one_for_all' | 'rest_for_one'
  readonly healthcheck?: HealthCheck
  readonly keys: readonly AccessKey[]
  /** Names of scripts, run in this order before the workload. */
  readonly provision: readonly string[]
  readonly volumes: readonly Volume[]
  /** What it leaves for whoever deployed it; tasks only. */
  readonly outputs?: Outputs
  /** Names of contracts. */
  readonly contracts: readonly string[]
}

/** What an allocation needs. Optional members that are missing put no condition on the machine. */
export interface ResourceNeed {
  readonly cpu: {
    /** Fractions allowed. */
    readonly cores: number
    readonly clockHz?: number
    readonly architecture?: string
    readonly model?: string
    readonly vendor?: string
    readonly threads?: number
    readonly cacheSize?: number
  }
  /** `clockSpeed` in MHz. */
  readonly ram: { readonly size: Bytes; readonly clockSpeed?: number; readonly type?: string }
  readonly disk: {
    readonly size: Bytes
    readonly type?: string
    readonly model?: string
    readonly vendor?: string
    readonly interface?: string
    readonly readSpeed?: number
    readonly writeSpeed?: number
  }
  readonly gpus: readonly GpuNeed[]
}

/** One graphics card that an allocation needs. */
export interface GpuNeed {
  readonly vendor?: string
  readonly model?: string
  readonly vram?: Bytes
  readonly index?: number
  readonly uuid?: string
  readonly pciAddress?: string
}

/** How an allocation runs; `params` is checked wire JSON, which the executor reads. {@link ExecutionView} has it typed. */
export interface Execution {
  readonly type: string
  readonly params: JsonValue
}

/** An {@link Execution} with typed parameters; `other` for executors that this version has no table for. */
export type ExecutionView =
  | { readonly type: 'docker'; readonly params: DockerParams }
  | { readonly type: 'oci'; readonly params: OciParams }
  | { readonly type: 'wasm'; readonly params: WasmParams }
  | { readonly type: 'microvm'; readonly params: MicrovmParams }
  | { readonly type: 'firecracker'; readonly params: FirecrackerParams }
  | { readonly type: 'containerd'; readonly params: ContainerdParams }
  | { readonly type: 'null' }
  | { readonly type: 'other'; readonly executor: string; readonly params: JsonValue }

/** Parameters of the docker executor. */
export interface DockerParams {
  /** `[registry[:port]/]path[:tag][@sha256:digest]`. */
  readonly image: string
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  readonly workingDirectory?: string
  readonly privileged: boolean
  readonly restartPolicy?: 'no' | 'on-failure' | 'always' | 'unless-stopped'
  /** Seen by the provider. */
  readonly registryAuth?: { readonly username: string; readonly password: string }
  readonly user?: string
}

/** Parameters of the oci executor (ours). */
export interface OciParams {
  /** `[registry[:port]/]path[:tag][@sha256:digest]`. */
  readonly image: string
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  readonly workingDirectory?: string
  readonly user?: string
  readonly readOnly: boolean
  /** Seen by the provider. */
  readonly registryAuth?: { readonly username: string; readonly password: string }
}

/** Parameters of the wasm executor (ours). */
export interface WasmParams {
  /** A WASI preview 1 module; exactly one of this, `image` and `modulePath` is there. */
  readonly module?: Uint8Array
  /** An artefact of a registry that is one. */
  readonly image?: string
  readonly registryAuth?: { readonly username: string; readonly password: string }
  /** A file below a volume of the allocation. */
  readonly modulePath?: string
  /** Arguments after the program's name. */
  readonly args: readonly string[]
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  /** Wall-clock limit, whole seconds. */
  readonly timeout?: Millis
  /** Limit of the time on processors, whole seconds. */
  readonly cpuTime?: Millis
}

/** Parameters of the firecracker executor, as of {@link MicrovmParams}. */
export interface FirecrackerParams extends MicrovmParams {
  readonly kernelImage: string
  readonly rootFileSystem: string
}

/** Parameters of the microvm executor (ours). */
export interface MicrovmParams {
  readonly engine?: 'auto' | 'qemu'
  readonly kernelImage?: string
  readonly rootFileSystem?: string
  /** Instead of a root file system. */
  readonly image?: string
  readonly registryAuth?: { readonly username: string; readonly password: string }
  readonly drives: readonly string[]
  readonly command: readonly string[]
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  readonly workingDirectory?: string
  readonly kernelArgs?: string
  readonly initrd?: string
  readonly mmdsMessage?: string
}

/** Parameters of the containerd executor. */
export interface ContainerdParams {
  readonly image: string
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly environment: readonly string[]
  readonly workingDirectory?: string
  readonly runtime?: 'runc' | 'kata'
}

/** Parameters of the null executor (ours): what it pretends to have run. */
export interface NullParams {
  readonly durationMs?: number
  readonly forever?: boolean
  readonly exitCode?: number
  readonly stdout?: string
  readonly stderr?: string
}

/** How a provider finds out whether a workload is well. */
export type HealthCheck = {
  readonly interval?: Millis
  readonly response?: { readonly type: string; readonly value: string }
} & ({ readonly type: 'command'; readonly exec: readonly string[] } | { readonly type: 'http'; readonly endpoint: string })

/** A key that is put into the workload. */
export interface AccessKey {
  readonly type: 'ssh' | 'gpg'
  readonly file: string
  /** Always there for `gpg`. */
  readonly dest?: string
}

/** A bucket of a service that speaks S3, and what requests are signed with. */
export interface ObjectStore {
  readonly bucket: string
  /** URL of the service; Amazon's without. */
  readonly endpoint?: string
  readonly region?: string
  readonly accessKeyId?: string
  readonly secretAccessKey?: string
  readonly sessionToken?: string
}

/** A directory whose files are kept when the workload has ended, fetched by the deployer, and published where that is asked for. */
export interface Outputs {
  /** Absolute, in the workload; empty when it starts. */
  readonly path: string
  readonly publish?: { readonly type: 's3'; readonly prefix?: string } & ObjectStore
}

/** A directory that a workload sees: one that outlives it, or one with what was fetched for it. */
export type Volume = { readonly mountDestination: string; readonly readOnly: boolean } & (
  | { readonly type: 'local'; readonly src: string }
  | ({ readonly type: 's3'; readonly key?: string; readonly prefix?: string; readonly sha256?: string } & ObjectStore)
  | {
      readonly type: 'glusterfs'
      readonly name: string
      readonly servers: readonly string[]
      readonly clientPrivateKey: string
      readonly clientPem: string
      readonly clientCa: string
    }
)

/** One machine of the ensemble. */
export interface EnsembleNode {
  /** At least one; each on exactly one node. */
  readonly allocations: readonly string[]
  readonly ports: readonly PortRequest[]
  readonly location: { readonly accept: readonly LocationRule[]; readonly reject: readonly LocationRule[] }
  /** The only peer id that may run it. */
  readonly peer?: string
  /** Number of standby machines. */
  readonly redundancy: number
  readonly failureRecovery: 'stay_down' | 'restart' | 'redeploy'
}

/** A port of an allocation that is reachable at its machine; `public` 0 lets the machine choose. */
export interface PortRequest {
  readonly public: number
  readonly private: number
  readonly allocation: string
}

/** A part of the world; every member that is there must match. */
export interface LocationRule {
  /** Two capital letters: AF, AN, AS, EU, NA, OC or SA. */
  readonly continent: string
  /** ISO 3166-1 alpha-2, capital letters. */
  readonly country?: string
  readonly city?: string
  readonly asn?: string
  readonly isp?: string
}

/** How near two nodes must be. */
export interface EnsembleEdge {
  readonly source: string
  readonly target: string
  /** Longest round trip in milliseconds. */
  readonly rtt?: number
  /** Least bandwidth; the unit is ambiguous in the reference and kept as given. */
  readonly bandwidth?: number
}

/** Which allocations restart together. */
export interface SupervisorTree {
  readonly strategy: 'OneForOne' | 'AllForOne' | 'RestForOne'
  readonly allocations: readonly string[]
  readonly children: readonly SupervisorTree[]
}

/** A payment contract and the DID of its host. */
export interface ContractReference {
  readonly did: string
  readonly host: string
}

/** Most allocations, and most nodes, in one ensemble. */
export const MAX_NAMED = 256

/** Longest ensemble file, in UTF-8 bytes. */
export const MAX_ENSEMBLE_TEXT = 1024 * 1024

/** Largest WebAssembly module in an ensemble, in bytes. */
export const MAX_WASM_MODULE = 384 * 1024

/**
 * Longest wire JSON of an ensemble, in bytes.
 *
 * A message has at most 1 MiB and carries its payload as base64 next to the capability tokens of the sender.
 */
export const MAX_ENSEMBLE_WIRE = 640 * 1024
