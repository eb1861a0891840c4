import { bytes, isJsonObject } from '../../base/index.ts'
import type { CardDetails } from './details.ts'
import { bytesOf, jsonOf, mebibytesOf, objectsOf, pciAddressOf, textOf } from './values.ts'

/** What `xpu-smi` is asked for: all cards. */
export const XPU_SMI: readonly string[] = ['discovery', '-j']

/** Reads the answer to {@link XPU_SMI}; the memory is only in the answer for a single card ({@link parseXpuSmiCard}). */
export function parseXpuSmi(output: string): readonly (CardDetails & { readonly id: number })[] {
  const answer = jsonOf(output)
  if (!isJsonObject(answer)) return []
  return objectsOf(answer['device_list']).flatMap((card) => {
    const [id, pciAddress] = [card['device_id'], pciAddressOf(textOf(card['pci_bdf_address']) ?? '')]
    if (pciAddress === undefined || typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > 255) return []
    const [uuid, model] = [textOf(card['uuid']), textOf(card['device_name'])]
    return [{ id, pciAddress, ...(uuid === undefined ? {} : { uuid }), ...(model === undefined ? {} : { model }) }]
  })
}

/** Memory of one card, from `xpu-smi discovery -d <id> -j`: in bytes, or with a unit. */
export function parseXpuSmiCard(output: string): Pick<CardDetails, 'vram'> {
  const answer = jsonOf(output)
  if (!isJsonObject(answer)) return {}
  const size = answer['memory_physical_size_byte'] ?? answer['memory_physical_size']
  const [, mebibytes] = typeof size === 'string' ? (/^\s*([\d.]+)\s*MiB\s*$/.exec(size) ?? []) : []
  const vram = mebibytes === undefined ? bytesOf(size) : mebibytesOf(mebibytes)
  return vram === undefined ? {} : { vram: bytes(vram) }
}
