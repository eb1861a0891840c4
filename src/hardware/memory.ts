import { type Bytes, bytes } from '../base/index.ts'

/** Reads `/proc/meminfo`; `undefined` when it does not tell. */
export function parseMemory(meminfo: string): { readonly total: Bytes; readonly available: Bytes } | undefined {
  const total = kibibytes(meminfo, 'MemTotal')
  const available = kibibytes(meminfo, 'MemAvailable')
  return total === undefined || available === undefined ? undefined : { total, available }
}

function kibibytes(meminfo: string, name: string): Bytes | undefined {
  const value = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1]
  return value === undefined ? undefined : bytes(Number(value) * 1024)
}
