/**
 * hardware: what this machine has and uses, read from the files of the Linux kernel and the tools of the makers of
 * graphics cards.
 *
 * Imports: base.
 * State: none.
 */
export { hostName, type NetworkInterface, readInterfaces } from './host.ts'
export { createHostPorts, type HostPorts } from './port-probe.ts'
export { createHardwareProbe, type HardwareProbeOptions } from './probe.ts'
export { createToolRunner, type RunTool } from './tools.ts'
export type { Gpu, GpuVendor, HardwareProbe, Machine, MachineUsage } from './types.ts'
