import { isJsonObject, type JsonValue } from '../../base/index.ts'

const PCI_ADDRESS = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/
const MIB = 2 ** 20
/** More than any card will have for long; what is above is garbage. */
const MOST = 2 ** 46

/** An address on the PCI bus as the kernel writes it: tools give the domain with eight digits or not at all, and upper case. */
export function pciAddressOf(text: string): string | undefined {
  const [, domain = '0', rest] = PCI_ADDRESS.exec(text.trim().toLowerCase()) ?? []
  return rest === undefined ? undefined : `${Number.parseInt(domain, 16).toString(16).padStart(4, '0')}:${rest}`
}

/** A size given in MiB, in bytes; `undefined` for what is no such number. */
export function mebibytesOf(text: string): number | undefined {
  return /^\d{1,9}(\.\d+)?$/.test(text) ? sizeOf(Math.round(Number(text) * MIB)) : undefined
}

/** A size in bytes, given as number or digits. */
export function bytesOf(value: JsonValue | undefined): number | undefined {
  if (typeof value === 'number') return sizeOf(value)
  return typeof value === 'string' && /^\d{1,16}$/.test(value.trim()) ? sizeOf(Number(value)) : undefined
}

function sizeOf(value: number): number | undefined {
  return Number.isSafeInteger(value) && value >= 0 && value <= MOST ? value : undefined
}

/** A text of a tool; texts that only say that nothing is known count as missing. */
export function textOf(value: JsonValue | undefined): string | undefined {
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  return text === '' || text.length > 128 || /^(n\/a|unknown|none)$/i.test(text) ? undefined : text
}

/** The JSON in an output that may begin with warnings in plain text; `undefined` when there is none. */
export function jsonOf(output: string): JsonValue | undefined {
  const start = output.search(/[[{]/)
  if (start < 0) return undefined
  try {
    return JSON.parse(output.slice(start)) as JsonValue
  } catch {
    return undefined // garbled: the tool tells nothing
  }
}

/** Objects in a value that is a list of them, or a map to them. */
export function objectsOf(value: JsonValue | undefined): readonly Readonly<Record<string, JsonValue>>[] {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).filter(isJsonObject)
  return isJsonObject(value) ? Object.values(value).filter(isJsonObject) : []
}
