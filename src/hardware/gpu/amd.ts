import { bytes, isJsonObject, type JsonValue } from '../../base/index.ts'
import type { CardDetails } from './details.ts'
import { bytesOf, jsonOf, objectsOf, pciAddressOf, textOf } from './values.ts'

type Fields = Readonly<Record<string, JsonValue>>

/** What `amd-smi` is asked for; its figures of memory come from the kernel, which answers without it. */
export const AMD_SMI: readonly string[] = ['static', '--bus', '--asic', '--json']

/** What the older `rocm-smi` is asked for. */
export const ROCM_SMI: readonly string[] = ['--showbus', '--showproductname', '--showuniqueid', '--showmeminfo', 'vram', '--json']

/** Reads the answer to {@link AMD_SMI}: a list of cards, or since ROCm 7 an object with the list in `gpu_data`. */
export function parseAmdSmi(output: string): readonly CardDetails[] {
  const answer = jsonOf(output)
  const cards = isJsonObject(answer) ? objectsOf(answer['gpu_data']) : objectsOf(answer)
  return cards.flatMap((card) => {
    const pciAddress = addressIn(memberOf(card, 'bus'), ['bdf'])
    if (pciAddress === undefined) return []
    const asic = memberOf(card, 'asic')
    return [describe(pciAddress, textOf(asic['market_name']), textOf(asic['asic_serial']))]
  })
}

/** Reads the answer to {@link ROCM_SMI}: a map from `card0`, … to fields whose names changed over the versions. */
export function parseRocmSmi(output: string): readonly CardDetails[] {
  const answer = jsonOf(output)
  if (!isJsonObject(answer)) return []
  return Object.entries(answer).flatMap(([name, card]) => {
    if (!/^card\d+$/.test(name) || !isJsonObject(card)) return []
    const pciAddress = addressIn(card, ['PCI Bus'])
    if (pciAddress === undefined) return []
    const [vram, vramUsed] = [bytesOf(card['VRAM Total Memory (B)']), bytesOf(card['VRAM Total Used Memory (B)'])]
    const names = ['Card Series', 'Card series', 'Card Model', 'Card model'].map((field) => textOf(card[field]))
    const model = names.find((text) => text !== undefined && !text.startsWith('0x'))
    return [
      {
        ...describe(pciAddress, model, textOf(card['Unique ID'])),
        ...(vram === undefined ? {} : { vram: bytes(vram) }),
        ...(vramUsed === undefined ? {} : { vramUsed: bytes(vramUsed) })
      }
    ]
  })
}

function describe(pciAddress: string, model: string | undefined, serial: string | undefined): CardDetails {
  const uuid = amdUuid(serial)
  return { pciAddress, ...(uuid === undefined ? {} : { uuid }), ...(model === undefined ? {} : { model }) }
}

/** The serial number of the chip as text of 16 hexadecimal digits, which is how AMD's own tools and runtimes write it. */
export function amdUuid(serial: string | undefined): string | undefined {
  const digits = serial?.trim().toLowerCase().replace(/^0x/, '') ?? ''
  return /^[0-9a-f]{8,16}$/.test(digits) && !/^0+$/.test(digits) ? `GPU-${digits.padStart(16, '0')}` : undefined
}

function memberOf(card: Fields, name: string): Fields {
  const member = card[name]
  return isJsonObject(member) ? member : {}
}

function addressIn(fields: Fields, names: readonly string[]): string | undefined {
  return names.map((name) => pciAddressOf(textOf(fields[name]) ?? '')).find((address) => address !== undefined)
}
