import { bytes } from '../../base/index.ts'
import type { Machine, MachineUsage } from '../../hardware/index.ts'
import type { WireResources } from '../../protocol/index.ts'
import type { Amount } from '../resources/index.ts'

/** The part of wire resources that is lent and promised. */
export function toAmount({ cpu, ram, disk }: WireResources): Amount {
  return { cpuCores: Math.round(cpu.cores * 100) / 100, memory: bytes(ram.size), disk: bytes(disk.size) }
}

/** An amount of a machine, with the processor that the cores are of. */
export function amountResources({ cpuCores, memory, disk }: Amount, { cpu }: Pick<Machine, 'cpu'>): WireResources {
  const { model, vendor, architecture, clockHz } = cpu
  return {
    cpu: { clockHz, cores: cpuCores, model, vendor, threads: 0, architecture, cacheBytes: 0 },
    gpus: [],
    ram: { size: memory, clockSpeed: 0, type: '' },
    disk: { size: disk, type: '' }
  }
}

/** What a machine has. */
export function machineResources({ cpu, memory, disk, gpus }: Machine): WireResources {
  const { clockHz, cores, model, vendor, threads, architecture, cacheBytes } = cpu
  return {
    cpu: { clockHz, cores, model, vendor, threads, architecture, cacheBytes },
    gpus: gpus.map(toWireGpu),
    ram: { size: memory, clockSpeed: 0, type: '' },
    disk: { size: disk.total, type: '' }
  }
}

/** What a machine uses; `vram` of a card is what is in use of it, 0 where nobody tells. */
export function usedResources(usage: MachineUsage, machine: Pick<Machine, 'cpu'>): WireResources {
  return {
    ...amountResources(usage, machine),
    gpus: usage.gpus.map((gpu) => ({ ...toWireGpu(gpu), vram: gpu.vramUsed ?? bytes(0) }))
  }
}

function toWireGpu({ index, vendor, pciAddress, model, vram, uuid }: Machine['gpus'][number]): WireResources['gpus'][number] {
  return { index, vendor, pciAddress, model, vram, uuid }
}

/** The same without what tells this one machine from others of its kind. */
export function withoutSerials({ gpus, ...rest }: WireResources): WireResources {
  return { ...rest, gpus: gpus.map((gpu) => ({ ...gpu, uuid: '', pciAddress: '' })) }
}

/** Nothing of a machine of which nothing is known. */
export const UNKNOWN_MACHINE: Machine = {
  cpu: { cores: 0, clockHz: 0, model: '', vendor: '', threads: 0, architecture: '', cacheBytes: 0 },
  memory: bytes(0),
  disk: { path: '', total: bytes(0) },
  gpus: []
}
