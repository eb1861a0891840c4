import { join } from 'node:path'
import { type Bytes, bytes } from '../../base/index.ts'
import { readInteger, type SystemFiles } from '../system-files.ts'
import type { GpuVendor } from '../types.ts'
import { amdUuid } from './amd.ts'

const DEVICES = '/sys/bus/pci/devices'
const NVIDIA = '/proc/driver/nvidia/gpus'
/** PCI class of display controllers: VGA (0x0300), 3D (0x0302) and other; AMD's accelerators are processing accelerators (0x1200). */
const DISPLAY_CLASS = /^0x03/
const ACCELERATOR_CLASS = /^0x1200/
const VENDORS: Readonly<Record<string, GpuVendor>> = { '0x10de': 'NVIDIA', '0x1002': 'AMD/ATI', '0x8086': 'Intel' }
const DRM_NODE = /^(card|renderD)\d{1,4}$/

/** A card as the kernel shows it. */
export interface BusCard {
  readonly vendor: GpuVendor
  readonly pciAddress: string
  /** What its driver calls it, or the PCI id: `10de:2330`. */
  readonly model: string
  readonly uuid: string
  readonly vram: Bytes
  readonly vramUsed?: Bytes
  readonly devices: readonly string[]
}

/** Finds the graphics cards of the three vendors on the PCI bus, in the order of their addresses. */
export async function readBus(files: SystemFiles): Promise<readonly BusCard[]> {
  const cards: BusCard[] = []
  for (const address of await files.names(DEVICES)) {
    const card = await readCard(files, address)
    if (card !== undefined) cards.push(card)
  }
  return cards
}

async function readCard(files: SystemFiles, pciAddress: string): Promise<BusCard | undefined> {
  const directory = join(DEVICES, pciAddress)
  const read = async (name: string): Promise<string> => ((await files.text(join(directory, name))) ?? '').trim()
  const [vendorId, kind] = [await read('vendor'), await read('class')]
  const vendor = VENDORS[vendorId]
  const isCard = DISPLAY_CLASS.test(kind) || (vendor === 'AMD/ATI' && ACCELERATOR_CLASS.test(kind))
  if (vendor === undefined || !isCard) return undefined
  const information = (await files.text(join(NVIDIA, pciAddress, 'information'))) ?? ''
  const vramUsed = await readInteger(files, join(directory, 'mem_info_vram_used'))
  const productName = await read('product_name')
  return {
    vendor,
    pciAddress,
    model:
      field(information, 'Model') ??
      (productName === '' ? `${vendorId.slice(2)}:${(await read('device')).slice(2)}` : productName),
    uuid: field(information, 'GPU UUID') ?? amdUuid(await read('unique_id')) ?? '',
    vram: bytes((await readInteger(files, join(directory, 'mem_info_vram_total'))) ?? 0),
    ...(vramUsed === undefined ? {} : { vramUsed: bytes(vramUsed) }),
    devices: await readDevices(files, directory, vendor, field(information, 'Device Minor'))
  }
}

/** The nodes below `/dev` of one card, and what all cards of its vendor need beside them. */
async function readDevices(
  files: SystemFiles,
  directory: string,
  vendor: GpuVendor,
  minor: string | undefined
): Promise<readonly string[]> {
  if (vendor === 'NVIDIA') return minor === undefined || !/^\d{1,4}$/.test(minor) ? [] : [`/dev/nvidia${minor}`]
  const nodes = (await files.names(join(directory, 'drm')))
    .filter((name) => DRM_NODE.test(name))
    .map((name) => `/dev/dri/${name}`)
  return vendor === 'AMD/ATI' && nodes.length > 0 ? ['/dev/kfd', ...nodes] : nodes
}

function field(information: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s+(.+?)\\s*$`, 'm').exec(information)?.[1]
}
