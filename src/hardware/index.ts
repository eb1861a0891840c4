/**
 * hardware: what this machine has and uses, read from the files of the Linux kernel.
 *
 * Imports: base.
 * State: none.
 */
export { hostName, type NetworkInterface, readInterfaces } from './host.ts'
export { createHardwareProbe, type HardwareProbeOptions } from './probe.ts'
export type { Gpu, HardwareProbe, Machine, MachineUsage } from './types.ts'
