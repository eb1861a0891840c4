import { join } from 'node:path'
import { bytes } from '../base/index.ts'
import { readInteger, type SystemFiles } from './system-files.ts'
import type { Gpu } from './types.ts'

const DEVICES = '/sys/bus/pci/devices'
const NVIDIA = '/proc/driver/nvidia/gpus'
/** PCI class of display controllers: VGA (0x0300), 3D (0x0302) and other. */
const DISPLAY_CLASS = /^0x03/
const VENDORS: Readonly<Record<string, Gpu['vendor']>> = { '0x10de': 'NVIDIA', '0x1002': 'AMD/ATI', '0x8086': 'Intel' }

/**
 * Finds the graphics cards of the three vendors on the PCI bus, in the order of their addresses.
 *
 * `vram` is 0 where the kernel does not tell (only AMD's driver does), and a card with 0 is not offered. Model and UUID are known
 * for NVIDIA's driver; otherwise the model is the PCI id and the UUID is empty.
 */
export async function findGpus(files: SystemFiles): Promise<readonly Gpu[]> {
  const gpus: Gpu[] = []
  for (const address of await files.names(DEVICES)) {
    const gpu = await readGpu(files, address, gpus.length)
    if (gpu !== undefined) gpus.push(gpu)
  }
  return gpus
}

async function readGpu(files: SystemFiles, address: string, index: number): Promise<Gpu | undefined> {
  const directory = join(DEVICES, address)
  const vendorId = (await files.text(join(directory, 'vendor')))?.trim() ?? ''
  const vendor = VENDORS[vendorId]
  if (vendor === undefined || !DISPLAY_CLASS.test((await files.text(join(directory, 'class'))) ?? '')) return undefined
  const device = (await files.text(join(directory, 'device')))?.trim() ?? ''
  const information = (await files.text(join(NVIDIA, address, 'information'))) ?? ''
  return {
    index,
    vendor,
    model: field(information, 'Model') ?? `${vendorId.slice(2)}:${device.slice(2)}`,
    uuid: field(information, 'GPU UUID') ?? '',
    pciAddress: address,
    vram: bytes((await readInteger(files, join(directory, 'mem_info_vram_total'))) ?? 0)
  }
}

function field(information: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s+(.+?)\\s*$`, 'm').exec(information)?.[1]
}
