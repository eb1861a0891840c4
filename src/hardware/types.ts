import type { AbortOptions, Bytes } from '../base/index.ts'

/** Makers of graphics cards, as the wire names them (C §4.1). */
export type GpuVendor = 'NVIDIA' | 'AMD/ATI' | 'Intel' | 'Unknown'

/** A graphics card (C §4.1). */
export interface Gpu {
  /** Running number over all vendors, from 0: NVIDIA, then AMD, then Intel, each by address. */
  readonly index: number
  readonly vendor: GpuVendor
  readonly model: string
  /** Stays the same over restarts and moves between slots; empty where the vendor gives none. */
  readonly uuid: string
  /** `0000:65:00.0`. */
  readonly pciAddress: string
  /** 0 where neither the kernel nor the vendor's tool tells; such a card is not lent. */
  readonly vram: Bytes
  /** What is in use now; missing where nobody tells. */
  readonly vramUsed?: Bytes
  /** Device nodes that a job needs to use it. */
  readonly devices: readonly string[]
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
  /** All cards, with `vramUsed` where somebody tells. */
  readonly gpus: readonly Gpu[]
}

/** Reads the machine from files of the kernel and, where there are graphics cards, from the tools of their vendors (C §5). */
export interface HardwareProbe {
  /** Which cards there are is remembered for a minute: their tools take up to seconds. */
  capacity(options?: AbortOptions): Promise<Machine>
  usage(options?: AbortOptions): Promise<MachineUsage>
}
