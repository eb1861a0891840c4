import { bytes } from '../../base/index.ts'
import type { CardDetails } from './details.ts'
import { mebibytesOf, pciAddressOf } from './values.ts'

/** What nvidia-smi is asked for, one card a line (C §5). */
export const NVIDIA_QUERY: readonly string[] = [
  '--query-gpu=pci.bus_id,uuid,memory.total,memory.used,name',
  '--format=csv,noheader,nounits'
]

/**
 * Reads the answer to {@link NVIDIA_QUERY}. The name comes last because it alone could hold a comma; lines that are not of this
 * form are left out: the tool prints warnings and errors of single cards among them.
 */
export function parseNvidia(output: string): readonly CardDetails[] {
  return output.split('\n').flatMap((line) => {
    const [bus = '', uuid = '', total = '', used = '', ...name] = line.split(',').map((part) => part.trim())
    const pciAddress = pciAddressOf(bus)
    if (pciAddress === undefined) return []
    const [vram, vramUsed] = [mebibytesOf(total), mebibytesOf(used)]
    return [
      {
        pciAddress,
        ...(/^(GPU|MIG)-[0-9a-fA-F-]{8,64}$/.test(uuid) ? { uuid } : {}),
        ...(isName(name.join(', ')) ? { model: name.join(', ') } : {}),
        ...(vram === undefined ? {} : { vram: bytes(vram) }),
        ...(vramUsed === undefined ? {} : { vramUsed: bytes(vramUsed) })
      }
    ]
  })
}

/** `[N/A]`, `[Unknown Error]` and the like are no names. */
function isName(text: string): boolean {
  return text !== '' && !text.startsWith('[') && text.length <= 128
}
