import { bytes } from '../../base/index.ts'
import type { Machine, MachineUsage } from '../../hardware/index.ts'
import type { WireResources } from '../../protocol/index.ts'
import type { GpuOffer } from '../onboarding/index.ts'
import { type Amount, deviceOf, type GpuNeed, type GpuShare } from '../resources/index.ts'

/** What wire resources say of processor, memory and disk; graphics cards are needs there, see {@link toGpuNeeds}. */
export function toAmount({ cpu, ram, disk }: WireResources): Amount {
  return { cpuCores: Math.round(cpu.cores * 100) / 100, memory: bytes(ram.size), disk: bytes(disk.size), gpus: [] }
}

/** The graphics cards that are asked for. Their `index` says nothing: nodes of Go always send 0 (C §4.2). */
export function toGpuNeeds({ gpus }: WireResources): readonly GpuNeed[] {
  return gpus.map(({ vendor, model, uuid, pciAddress, vram }) => ({ vendor, model, uuid, pciAddress, vram: bytes(vram) }))
}

/** The graphics cards that an owner lends, in a request that names them among the resources as nodes of 2024 do. */
export function toGpuOffers({ gpus }: WireResources): readonly GpuOffer[] {
  return gpus.map((gpu) => ({ card: deviceOf(gpu) === '' ? gpu.index : deviceOf(gpu), vram: gpu.vram }))
}

/** An amount of a machine, with the processor that the cores are of and the cards that the shares are of. */
export function amountResources(
  { cpuCores, memory, disk, gpus }: Amount,
  { cpu, gpus: cards }: Pick<Machine, 'cpu' | 'gpus'>
): WireResources {
  const { model, vendor, architecture, clockHz } = cpu
  return {
    cpu: { clockHz, cores: cpuCores, model, vendor, threads: 0, architecture, cacheBytes: 0 },
    gpus: gpus.map((share) => toWireShare(share, cards)),
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
export function usedResources(usage: MachineUsage, machine: Machine): WireResources {
  return {
    ...amountResources({ ...usage, gpus: [] }, machine),
    gpus: usage.gpus.map((gpu) => ({ ...toWireGpu(gpu), vram: gpu.vramUsed ?? bytes(0) }))
  }
}

/** A share of a card that is gone from the machine keeps its name, so that its owner can see what is missing. */
function toWireShare({ device, vram }: GpuShare, cards: Machine['gpus']): WireResources['gpus'][number] {
  const card = cards.find((each) => deviceOf(each) === device)
  if (card === undefined) return { index: -1, vendor: 'Unknown', pciAddress: '', model: '', vram, uuid: device }
  return { ...toWireGpu(card), vram }
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
