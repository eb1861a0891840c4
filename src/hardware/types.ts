import type { AbortOptions, Bytes } from '../base/index.ts'

/** A graphics card (C §4.1). */
export interface Gpu {
  /** Running number over all vendors, from 0. */
  readonly index: number
  readonly vendor: 'NVIDIA' | 'AMD/ATI' | 'Intel' | 'Unknown'
  readonly model: string
  readonly uuid: string
  readonly pciAddress: string
  readonly vram: Bytes
}

/** What a machine has. */
export interface Machine {
  readonly cpu: {
    readonly cores: number
    readonly clockHz: number
    readonly model: string
    readonly vendor: string
    readonly threads: number
    /** `x86_64` or `aarch64`. */
    readonly architecture: string
    readonly cacheBytes: number
  }
  readonly memory: Bytes
  /** The file system that holds the work directory, where jobs really write. */
  readonly disk: { readonly path: string; readonly total: Bytes }
  readonly gpus: readonly Gpu[]
}

/** What a machine uses now. */
export interface MachineUsage {
  readonly cpuCores: number
  readonly memory: Bytes
  readonly disk: Bytes
}

/** Reads the machine from files of the kernel; asks no other program (C §5). */
export interface HardwareProbe {
  capacity(options?: AbortOptions): Promise<Machine>
  usage(options?: AbortOptions): Promise<MachineUsage>
}
