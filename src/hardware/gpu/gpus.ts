import { bytes } from '../../base/index.ts'
import type { SystemFiles } from '../system-files.ts'
import type { RunTool } from '../tools.ts'
import type { Gpu, GpuVendor } from '../types.ts'
import { AMD_SMI, parseAmdSmi, parseRocmSmi, ROCM_SMI } from './amd.ts'
import { type BusCard, readBus } from './bus.ts'
import type { CardDetails } from './details.ts'
import { parseXpuSmi, parseXpuSmiCard, XPU_SMI } from './intel.ts'
import { NVIDIA_QUERY, parseNvidia } from './nvidia.ts'
import { pciIdNames } from './pci-ids.ts'

const ORDER: readonly GpuVendor[] = ['NVIDIA', 'AMD/ATI', 'Intel']

/**
 * Finds the graphics cards of the three vendors: which there are says the PCI bus, what they are their vendor's tool where it is
 * installed, else the kernel and the list of PCI ids. No tool is run for a vendor without a card.
 *
 * Built-in graphics, which share the memory of the machine, are in the list with a `vram` of 0.
 */
export async function findGpus(files: SystemFiles, run: RunTool): Promise<readonly Gpu[]> {
  const cards = [...(await readBus(files))].sort((a, b) => ORDER.indexOf(a.vendor) - ORDER.indexOf(b.vendor))
  if (cards.length === 0) return []
  const details = new Map<string, CardDetails>()
  for (const vendor of new Set(cards.map((card) => card.vendor))) {
    for (const card of await askVendor(vendor, run)) details.set(card.pciAddress, card)
  }
  const names = await pciIdNames(
    files,
    cards.filter(isNameless).map(({ model }) => model)
  )
  return cards.map((card, index) => join(index, card, details.get(card.pciAddress), names))
}

function isNameless({ model }: BusCard): boolean {
  return /^[0-9a-f]{4}:[0-9a-f]{4}$/.test(model)
}

function join(index: number, card: BusCard, told: CardDetails | undefined, names: ReadonlyMap<string, string>): Gpu {
  const vramUsed = told?.vramUsed ?? card.vramUsed
  return {
    index,
    vendor: card.vendor,
    model: told?.model ?? names.get(card.model) ?? card.model,
    uuid: told?.uuid ?? card.uuid,
    pciAddress: card.pciAddress,
    vram: bytes(told?.vram ?? card.vram),
    ...(vramUsed === undefined ? {} : { vramUsed }),
    devices: card.devices
  }
}

async function askVendor(vendor: GpuVendor, run: RunTool): Promise<readonly CardDetails[]> {
  switch (vendor) {
    case 'NVIDIA':
      return parseNvidia((await run('nvidia-smi', NVIDIA_QUERY)) ?? '')
    case 'AMD/ATI':
      return await askAmd(run)
    case 'Intel':
      return await askIntel(run)
    case 'Unknown':
      return []
  }
}

async function askAmd(run: RunTool): Promise<readonly CardDetails[]> {
  const cards = parseAmdSmi((await run('amd-smi', AMD_SMI)) ?? '')
  return cards.length > 0 ? cards : parseRocmSmi((await run('rocm-smi', ROCM_SMI)) ?? '')
}

async function askIntel(run: RunTool): Promise<readonly CardDetails[]> {
  const cards = parseXpuSmi((await run('xpu-smi', XPU_SMI)) ?? '')
  return await Promise.all(
    cards.map(async ({ id, ...card }) => ({
      ...card,
      ...parseXpuSmiCard((await run('xpu-smi', ['discovery', '-d', String(id), '-j'])) ?? '')
    }))
  )
}
